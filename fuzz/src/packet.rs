//! A sample, decoded and written as text and as JSON.

use arbitrary::Unstructured;
use bytes::Bytes;
use netsec_user::event::Sample;
use netsec_user::hook::{Direction, Hook, HookId};
use netsec_user::output::{Colour, JsonLines, Output, Sensor, Style, Text};
use netsec_user::packet::PacketView;
use netsec_user::time::WallTime;

use crate::frame::{self, Given};

const COLUMNS: Style = Style {
    colour: Colour::Always,
    aligned: true,
};

/// Every sample gives one line: of JSON that parses, of text without control characters.
pub fn check(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let (Ok(time), Ok(given)) = (input.arbitrary(), Given::rest(input)) else {
        return;
    };
    let sample = Sample {
        hook: HookId(0),
        time: WallTime::from_ns(time),
        wire_bytes: given.wire_bytes,
        start: given.start,
        fate: netsec_common::sample::Fate::PASSED,
        bytes: Bytes::from(given.bytes),
    };
    let view = PacketView::decode(&sample);
    is_json(&line(
        JsonLines::new(Vec::new(), sensor()),
        JsonLines::into_inner,
        &sample,
        &view,
    ));
    let text = Text::new(Vec::new(), sensor(), Style::PLAIN);
    is_clean(&line(text, Text::into_inner, &sample, &view));
    let text = Text::new(Vec::new(), sensor(), COLUMNS);
    is_clean(&without_colours(&line(
        text,
        Text::into_inner,
        &sample,
        &view,
    )));
}

/// The fixtures' frames, at a time of today.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    const NOON: i64 = 1_795_397_462_114_123_000;
    let frames = frame::all_cases().map(|case| frame::written(&case));
    frames
        .chain(DNS.iter().map(|message| frame::written_datagram(message)))
        .map(|frame| [NOON.to_le_bytes().to_vec(), frame].concat())
        .collect()
}

fn sensor() -> Sensor {
    let hook = |interface: &str| Hook {
        interface: interface.to_owned(),
        direction: Direction::Ingress,
    };
    // With two, each line says which.
    Sensor {
        hooks: vec![hook("a"), hook("b")],
        community_seed: 0,
    }
}

fn line<O: Output>(
    mut output: O,
    into_inner: impl FnOnce(O) -> Vec<u8>,
    sample: &Sample,
    view: &PacketView,
) -> String {
    output.packet(sample, view).expect("a Vec takes everything");
    String::from_utf8(into_inner(output)).expect("outputs write UTF-8")
}

fn is_json(line: &str) {
    let object = line.strip_suffix('\n').expect("a whole line");
    assert!(!object.contains('\n'), "{line:?}");
    let value: serde_json::Value = serde_json::from_str(object).expect("JSON");
    assert_eq!(value["event_type"], "packet", "{line}");
    assert!(value["timestamp"].is_string(), "{line}");
}

fn is_clean(line: &str) {
    let text = line.strip_suffix('\n').expect("a whole line");
    assert!(!text.contains(misleads), "{line:?}");
}

/// Control characters, and those that turn the direction of writing around.
fn misleads(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text without the escape codes `ESC [ digits and semicolons m`.
fn without_colours(text: &str) -> String {
    let mut clean = String::new();
    let mut rest = text;
    while let Some((before, code)) = rest.split_once("\x1b[") {
        let end = code.find('m').expect("a colour");
        let numbers = code[..end].bytes();
        assert!(
            numbers.into_iter().all(|b| b.is_ascii_digit() || b == b';'),
            "{text:?}"
        );
        clean.push_str(before);
        rest = &code[end + 1..];
    }
    clean + rest
}

/// DNS messages (RFC 1035): a question, and an answer with a compressed name.
const DNS: [&[u8]; 3] = [
    b"\x12\x34\x01\x00\0\x01\0\0\0\0\0\0\x03www\x07example\x03com\0\0\x01\0\x01",
    b"\x12\x34\x81\x80\0\x01\0\x01\0\0\0\0\x03www\x07example\x03com\0\0\x1c\0\x01\xc0\x0c\0\x1c\0\x01\0\0\0\x3c\0\x10 \x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01",
    b"\x12\x34\x81\x83\0\x01\0\0\0\0\0\0\x05a\x1b[31\x02\xc3\xa9\0\0\xff\0\xff",
];
