//! Netlink messages and attributes.

use std::io;

/// `struct nlmsghdr` and `struct genlmsghdr`.
const HEADER_BYTES: usize = 16;
const GENERIC_HEADER_BYTES: usize = 4;

/// `struct nlattr`: length with itself, type.
const ATTRIBUTE_HEADER_BYTES: usize = 4;

/// The flags in an attribute's type.
const TYPE_MASK: u16 = 0x3fff;

/// A request of a generic netlink family.
pub(super) fn request(family: u16, command: u8, payload: &[u8]) -> Vec<u8> {
    const REQUEST: u16 = 1;
    const VERSION: u8 = 1;
    let length = HEADER_BYTES + GENERIC_HEADER_BYTES + payload.len();
    let mut bytes = Vec::with_capacity(length);
    bytes.extend(u32::try_from(length).unwrap_or(u32::MAX).to_ne_bytes());
    bytes.extend(family.to_ne_bytes());
    bytes.extend(REQUEST.to_ne_bytes());
    // Sequence number and port: one question at a time, to the kernel.
    bytes.extend([0; 8]);
    bytes.extend([command, VERSION, 0, 0]);
    bytes.extend(payload);
    bytes
}

/// The attributes of a reply, or the error in it.
pub(super) fn reply(message: &[u8]) -> io::Result<&[u8]> {
    const ERROR: u16 = 2;
    let cut_short = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let length = u32_at(message, 0).ok_or_else(cut_short)? as usize;
    let kind = u16_at(message, 4).ok_or_else(cut_short)?;
    let body = message.get(HEADER_BYTES..length).ok_or_else(cut_short)?;
    if kind == ERROR {
        let number = u32_at(body, 0).ok_or_else(cut_short)?.cast_signed();
        return Err(io::Error::from_raw_os_error(number.saturating_neg()));
    }
    body.get(GENERIC_HEADER_BYTES..).ok_or_else(cut_short)
}

/// Appends an attribute, padded to four bytes.
pub(super) fn attribute(bytes: &mut Vec<u8>, kind: u16, payload: &[u8]) {
    let length = ATTRIBUTE_HEADER_BYTES + payload.len();
    bytes.extend(u16::try_from(length).unwrap_or(u16::MAX).to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(payload);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

/// Attributes one after the other: type without flags, and payload. Ends at the first that is
/// shorter than it says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attributes<'a>(pub(super) &'a [u8]);

impl<'a> Attributes<'a> {
    pub(super) fn find(mut self, kind: u16) -> Option<&'a [u8]> {
        Iterator::find(&mut self, |(this, _)| *this == kind).map(|(_, payload)| payload)
    }

    pub(super) fn find_u16(self, kind: u16) -> Option<u16> {
        u16_at(self.find(kind)?, 0)
    }

    pub(super) fn find_u32(self, kind: u16) -> Option<u32> {
        u32_at(self.find(kind)?, 0)
    }

    pub(super) fn find_u64(self, kind: u16) -> Option<u64> {
        self.find(kind)?
            .first_chunk()
            .map(|b| u64::from_ne_bytes(*b))
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let length = usize::from(u16_at(self.0, 0)?);
        let kind = u16_at(self.0, 2)? & TYPE_MASK;
        let payload = self.0.get(ATTRIBUTE_HEADER_BYTES..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, payload))
    }
}

fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    let bytes = bytes.get(offset..)?.first_chunk()?;
    Some(u16::from_ne_bytes(*bytes))
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    let bytes = bytes.get(offset..)?.first_chunk()?;
    Some(u32::from_ne_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_written_and_read() {
        let mut bytes = Vec::new();
        attribute(&mut bytes, 1, b"abc");
        attribute(&mut bytes, 2 | 1 << 15, &7u32.to_ne_bytes());
        attribute(&mut bytes, 3, &9u64.to_ne_bytes());
        attribute(&mut bytes, 4, b"");
        assert_eq!(bytes.len(), 8 + 8 + 12 + 4);
        let attributes = Attributes(&bytes);
        assert_eq!(attributes.find(1), Some(&b"abc"[..]));
        assert_eq!(attributes.find_u32(2), Some(7));
        assert_eq!(attributes.find_u64(3), Some(9));
        assert_eq!(attributes.find(4), Some(&b""[..]));
        assert_eq!((attributes.find(5), attributes.find_u64(2)), (None, None));
        assert_eq!(attributes.count(), 4);
    }

    #[test]
    fn what_is_cut_short_ends_the_list() {
        let mut bytes = Vec::new();
        attribute(&mut bytes, 1, b"abcd");
        attribute(&mut bytes, 2, b"efgh");
        for end in 8..16 {
            assert_eq!(Attributes(&bytes[..end]).count(), 1, "{end}");
        }
        // A length of less than the attribute's own header.
        for length in 0u8..4 {
            assert_eq!(
                Attributes(&[length, 0, 1, 0, 9, 9, 9, 9]).count(),
                0,
                "{length}"
            );
        }
    }

    #[test]
    fn a_reply_is_attributes_or_an_error() {
        let message = request(20, 1, b"payload!");
        assert_eq!(reply(&message).unwrap(), b"payload!");
        let mut error = request(2, 0, &[]);
        error.splice(16..20, (-libc::ENODEV).to_ne_bytes());
        assert_eq!(
            reply(&error).unwrap_err().raw_os_error(),
            Some(libc::ENODEV)
        );
        for end in 0..message.len() {
            assert!(reply(&message[..end]).is_err(), "{end}");
        }
    }
}
