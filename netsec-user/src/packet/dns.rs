//! A bounded reader for the question of a DNS message (RFC 1035, 4.1).

use std::fmt::Write as _;

/// DNS.
pub const PORT: u16 = 53;
/// Multicast DNS (RFC 6762).
pub const MULTICAST_PORT: u16 = 5353;

/// Most questions that are read of one message; nearly every message has one.
pub const QUESTIONS_MAX: usize = 4;
/// Longest name, bytes on the wire (RFC 1035, 2.3.4).
const NAME_BYTES_MAX: usize = 255;
const HEADER_BYTES: usize = 12;
/// The two high bits of a length byte that make it a compression pointer.
const POINTER: u8 = 0xc0;

/// Header and questions of a DNS message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Matches a response to its query.
    pub id: u16,
    /// Whether it is a response.
    pub response: bool,
    /// Kind of query: 0 for a standard one.
    pub opcode: u8,
    /// Response code, the four bits of the header; see [`rcode`](super::names::rcode).
    pub rcode: u8,
    /// Questions that the message announces.
    pub question_count: u16,
    /// The first of them, at most [`QUESTIONS_MAX`] and as far as they were captured and readable.
    pub questions: Vec<Question>,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The name without its last dot, `.` for the root. A dot or backslash inside a label has a
    /// backslash before it; a byte that is no visible ASCII character is written `\DDD` (RFC 4343,
    /// 2.1). At most 1,020 characters.
    pub name: String,
    /// Record type; see [`record_type`](super::names::record_type).
    pub kind: u16,
}

/// Whether DNS messages are expected on this UDP port.
#[must_use]
pub const fn is_udp_port(port: u16) -> bool {
    matches!(port, PORT | MULTICAST_PORT)
}

/// Reads a message, or as much as was captured; `None` when that is less than a header.
#[must_use]
pub fn read(message: &[u8]) -> Option<Message> {
    let header: &[u8; HEADER_BYTES] = message.first_chunk()?;
    let [id0, id1, flags, codes, count0, count1, ..] = *header;
    let question_count = u16::from_be_bytes([count0, count1]);
    let mut questions = Vec::new();
    let mut at = HEADER_BYTES;
    while questions.len() < QUESTIONS_MAX.min(usize::from(question_count)) {
        let Some((question, next)) = read_question(message, at) else {
            break;
        };
        questions.push(question);
        at = next;
    }
    Some(Message {
        id: u16::from_be_bytes([id0, id1]),
        response: flags & 0x80 != 0,
        opcode: flags >> 3 & 0xf,
        rcode: codes & 0xf,
        question_count,
        questions,
    })
}

/// Reads a message at the start of a TCP segment, where its length precedes it (RFC 1035, 4.2.2).
///
/// `None` for a segment that cannot begin with a message, such as a later part of a long one.
#[must_use]
pub fn read_stream(segment: &[u8]) -> Option<Message> {
    let (length, message) = segment.split_first_chunk()?;
    if usize::from(u16::from_be_bytes(*length)) < HEADER_BYTES {
        return None;
    }
    let message = read(message)?;
    // The middle of a transfer looks like anything; a message that is read has a question or says
    // that it has none.
    (message.question_count == 0 || !message.questions.is_empty()).then_some(message)
}

/// The question at `at`, and where the next one begins.
fn read_question(message: &[u8], at: usize) -> Option<(Question, usize)> {
    let (name, next) = read_name(message, at)?;
    let &[high, low, _, _] = message.get(next..)?.first_chunk()?;
    let kind = u16::from_be_bytes([high, low]);
    Some((Question { name, kind }, next + 4))
}

/// The name at `at`, and where what follows it begins.
///
/// Every pointer has to point before the labels that led to it, so the reading ends.
fn read_name(message: &[u8], at: usize) -> Option<(String, usize)> {
    let mut name = String::new();
    let mut end = None;
    let mut wire_bytes = 0;
    let mut segment_start = at;
    let mut cursor = at;
    loop {
        let length = *message.get(cursor)?;
        if length & POINTER == POINTER {
            let low = *message.get(cursor + 1)?;
            end.get_or_insert(cursor + 2);
            let target = usize::from(u16::from_be_bytes([length & !POINTER, low]));
            if target >= segment_start {
                return None;
            }
            segment_start = target;
            cursor = target;
            continue;
        }
        wire_bytes += usize::from(length) + 1;
        if length & POINTER != 0 || wire_bytes > NAME_BYTES_MAX {
            return None;
        }
        cursor += 1;
        if length == 0 {
            break;
        }
        let label = message.get(cursor..cursor + usize::from(length))?;
        cursor += label.len();
        if !name.is_empty() {
            name.push('.');
        }
        push_label(&mut name, label);
    }
    if name.is_empty() {
        name.push('.');
    }
    Some((name, end.unwrap_or(cursor)))
}

fn push_label(name: &mut String, label: &[u8]) {
    for &byte in label {
        match byte {
            b'.' | b'\\' => {
                name.push('\\');
                name.push(char::from(byte));
            }
            b'!'..=b'~' => name.push(char::from(byte)),
            _ => {
                // Writing to a String does not fail.
                write!(name, "\\{byte:03}").unwrap_or_default();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn query(name: &[u8], kind: u16) -> Vec<u8> {
        let mut message = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        message.extend_from_slice(name);
        message.extend_from_slice(&kind.to_be_bytes());
        message.extend_from_slice(&[0, 1]);
        message
    }

    fn name_of(message: &[u8]) -> Option<String> {
        read(message)?
            .questions
            .first()
            .map(|question| question.name.clone())
    }

    #[test]
    fn a_query_is_read() {
        let message = read(&query(b"\x07example\x03com\0", 28)).unwrap();
        assert_eq!((message.id, message.response), (0x1234, false));
        assert_eq!(
            message.questions,
            [Question {
                name: "example.com".into(),
                kind: 28
            }]
        );
    }

    #[test]
    fn a_response_says_so() {
        let mut message = query(b"\x01a\0", 1);
        message[2] = 0x85;
        message[3] = 0x83;
        let message = read(&message).unwrap();
        assert_eq!((message.response, message.rcode), (true, 3));
    }

    #[test]
    fn names_cannot_carry_control_characters() {
        assert_eq!(
            name_of(&query(b"\x06a.b\\\x1b \x03\xc3\xa4\x7f\0", 1)).unwrap(),
            r"a\.b\\\027\032.\195\164\127"
        );
        assert_eq!(name_of(&query(b"\0", 2)).unwrap(), ".");
    }

    #[test]
    fn pointers_go_back_only() {
        let mut two = query(b"\x01a\x03com\0", 1);
        two[5] = 2;
        two.extend_from_slice(b"\x01b\xc0\x0e\0\x1c\0\x01");
        let message = read(&two).unwrap();
        assert_eq!(message.questions[1].name, "b.com");
        assert_eq!(message.questions[1].kind, 28);
        assert_eq!(name_of(&query(b"\xc0\x0c", 1)), None, "a pointer to itself");
        assert_eq!(name_of(&query(b"\x01a\xc0\x0c", 1)), None, "a loop");
        assert_eq!(name_of(&query(b"\xc0\x40", 1)), None, "a pointer forward");
    }

    #[test]
    fn too_long_a_name_is_refused() {
        let longest: Vec<u8> = [1, b'x'].repeat(127).into_iter().chain([0]).collect();
        assert_eq!(name_of(&query(&longest, 1)).unwrap().len(), 253);
        let longer: Vec<u8> = [1, b'x'].repeat(128).into_iter().chain([0]).collect();
        assert_eq!(name_of(&query(&longer, 1)), None);
    }

    #[test]
    fn a_cut_question_leaves_the_header() {
        let message = query(b"\x07example\x03com\0", 1);
        let cut = read(&message[..16]).unwrap();
        assert_eq!((cut.question_count, cut.questions.len()), (1, 0));
        assert_eq!(read(&message[..11]), None);
    }

    #[test]
    fn a_stream_has_a_length_first() {
        let message = query(b"\x01a\0", 252);
        let mut segment = u16::try_from(message.len()).unwrap().to_be_bytes().to_vec();
        segment.extend_from_slice(&message);
        assert_eq!(read_stream(&segment), read(&message));
        assert_eq!(read_stream(&message[8..]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            for message in read(&bytes).into_iter().chain(read_stream(&bytes)) {
                for question in message.questions {
                    prop_assert!(question.name.len() <= 1020);
                    prop_assert!(question.name.bytes().all(|byte| byte.is_ascii_graphic()));
                }
            }
        }

        #[test]
        fn any_pointers_end(bytes in prop::collection::vec(prop_oneof![0xc0_u8..=0xc1, 0_u8..64], 0..600)) {
            prop_assert!(read(&bytes).is_some() == (bytes.len() >= 12));
        }
    }
}
