use proptest::prelude::*;
use serde::de::IgnoredAny;

use super::*;

proptest! {
    /// It never takes for JSON what is none.
    #[test]
    fn what_it_reads_is_json(line in "[\\[\\]{}\",:0-9a-e.\\\\ \\-nultrefs]{0,24}") {
        let line = format!("{{\"a\":{line}}}");
        let quick = from_line::<IgnoredAny>(line.as_bytes()).is_some();
        let is_json = serde_json::from_str::<IgnoredAny>(&line).is_ok();
        prop_assert!(!quick || is_json, "{}", line);
    }

    #[test]
    fn plain_bytes_end_where_a_text_does(text in "[ -~\u{1}\u{1f}\u{7f}é]{0,40}") {
        let special = |byte: &u8| *byte < 0x20 || matches!(*byte, b'"' | b'\\');
        let expected = text.as_bytes().iter().position(special).unwrap_or(text.len());
        prop_assert_eq!(plain_bytes(text.as_bytes()), expected);
    }
}

#[test]
fn a_name_that_is_no_text_is_odd() {
    #[derive(Debug, Deserialize)]
    struct Nothing {}
    assert!(from_line::<Nothing>(b"{\"a\":\"\xff\"}").is_some());
    assert!(from_line::<Nothing>(b"{\"\xff\":1}").is_none());
    assert!(serde_json::from_slice::<Nothing>(b"{\"\xff\":1}").is_err());
}

#[test]
fn what_is_odd_is_left_to_others() {
    let read = |line: &str| from_line::<IgnoredAny>(line.as_bytes()).is_some();
    for plain in [
        "{}",
        r#"{"a":1,"b":[{"c":"d"},-2,0.5,true,false,null],"e":{}}"#,
        r#"{"a": "b", "c": 0}"#,
    ] {
        assert!(read(plain), "{plain}");
    }
    for odd in [
        "",
        "{",
        r#"{"a":1,}"#,
        r#"{"a":[1,]}"#,
        r#"{"a":01}"#,
        r#"{"a":1e5}"#,
        r#"{"a":-}"#,
        r#"{"a":1.}"#,
        r#"{"a":"\n"}"#,
        r#"{"a":1}x"#,
        r#"{"a" :1}"#,
        r#"{,"a":1}"#,
    ] {
        assert!(!read(odd), "{odd}");
    }
    let deep = format!("{}1{}", "{\"a\":".repeat(17), "}".repeat(17));
    assert!(!read(&deep));
}
