//! The checks, for people and for programs.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::{Check, Status};
use crate::output::Colour;

/// Columns before the text: the longest status and a space.
const INDENT: &str = "      ";

/// Writes a line for each check, and its remedy under it.
///
/// # Errors
///
/// The writer's.
pub fn write_text(out: &mut impl Write, checks: &[Check], colour: Colour) -> io::Result<()> {
    for check in checks {
        let (word, style) = mark(check.status);
        let style = match colour {
            Colour::Always => style,
            Colour::Never => Style::new(),
        };
        write!(out, "{style}{word:<5}{style:#} ")?;
        if let Some(interface) = &check.interface {
            write!(out, "{interface} ")?;
        }
        let detail = check.detail.replace('\n', &format!("\n{INDENT}"));
        writeln!(out, "{}: {detail}", check.name)?;
        if let Some(fix) = &check.fix {
            let fix = fix.replace('\n', &format!("\n{INDENT}     "));
            writeln!(out, "{INDENT}fix: {fix}")?;
        }
    }
    Ok(())
}

/// Writes a JSON object a line for each check: `interface` (where it is about one), `check`,
/// `status` (`ok`, `info`, `warn`, `fail`), `detail`, and `fix` where there is one.
///
/// # Errors
///
/// The writer's.
pub fn write_json_lines(out: &mut impl Write, checks: &[Check]) -> io::Result<()> {
    for check in checks {
        let line = Line {
            interface: check.interface.as_deref(),
            check: check.name,
            status: check.status.word(),
            detail: &check.detail,
            fix: check.fix.as_deref(),
        };
        serde_json::to_writer(&mut *out, &line)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    interface: Option<&'a str>,
    check: &'a str,
    status: &'a str,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<&'a str>,
}

/// A failure is loud without colours, too.
const fn mark(status: Status) -> (&'static str, Style) {
    match status {
        Status::Ok => (status.word(), AnsiColor::Green.on_default()),
        Status::Info => (status.word(), AnsiColor::Cyan.on_default()),
        Status::Warn => (status.word(), AnsiColor::Yellow.on_default()),
        Status::Fail(_) => ("FAIL", AnsiColor::Red.on_default().bold()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Trouble;
    use super::*;

    fn checks() -> Vec<Check> {
        let failed = Check::new(
            "XDP program",
            Status::Fail(Trouble::Kernel),
            "refused:\nR1 is \"x\"",
        );
        vec![
            Check::new("kernel", Status::Ok, "6.1.0"),
            Check {
                interface: Some("eth0".to_owned()),
                ..failed.fix("one\ntwo")
            },
        ]
    }

    fn written(write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn text_is_a_line_a_check_with_the_rest_under_it() {
        let text = written(|out| write_text(out, &checks(), Colour::Never));
        assert_eq!(
            text,
            "ok    kernel: 6.1.0\n\
             FAIL  eth0 XDP program: refused:\n      R1 is \"x\"\n      fix: one\n           two\n"
        );
    }

    #[test]
    fn only_the_status_is_coloured() {
        let text = written(|out| write_text(out, &checks(), Colour::Always));
        assert!(
            text.starts_with("\u{1b}[32mok   \u{1b}[0m kernel: 6.1.0\n"),
            "{text:?}"
        );
        assert!(
            text.contains("\u{1b}[1m\u{1b}[31mFAIL \u{1b}[0m eth0"),
            "{text:?}"
        );
    }

    #[test]
    fn json_is_an_object_a_line() {
        let text = written(|out| write_json_lines(out, &checks()));
        assert_eq!(
            text,
            "{\"check\":\"kernel\",\"status\":\"ok\",\"detail\":\"6.1.0\"}\n\
             {\"interface\":\"eth0\",\"check\":\"XDP program\",\"status\":\"fail\",\
             \"detail\":\"refused:\\nR1 is \\\"x\\\"\",\"fix\":\"one\\ntwo\"}\n"
        );
    }
}
