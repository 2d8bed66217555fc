//! What an error may repeat of an expression.

use crate::filter::Filter;

fn error_text(expression: &str) -> String {
    Filter::parse(expression).unwrap_err().to_string()
}

/// An error goes to a terminal, and an expression can come from anywhere.
#[test]
fn no_error_repeats_a_control_character_or_a_very_long_word() {
    for before in [
        "", "tcp ", "host ", "(", "port ", "net ", "proto ", "src ", "vlan ", "not ",
    ] {
        for word in ["a\u{1b}[31m\0b", "\u{9b}31m", "\u{7}"] {
            let text = error_text(&format!("{before}{word}"));
            let is_control = |c: char| c.is_control() && c != '\n';
            assert!(!text.contains(is_control), "{text:?}");
        }
        let text = error_text(&format!("{before}{}", "x".repeat(1000)));
        assert!(text.lines().all(|line| line.len() < 300), "{text}");
    }
}
