//! Addresses as logs write them.

use std::net::{IpAddr, Ipv4Addr};

/// An address of either version, as the standard library reads it; IPv4 takes a shorter way.
pub(super) fn parse(text: &[u8]) -> Option<IpAddr> {
    if let Some(address) = v4(text) {
        return Some(address.into());
    }
    str::from_utf8(text).ok()?.parse().ok()
}

/// Four numbers up to 255 without zeros in front.
#[inline]
fn v4(text: &[u8]) -> Option<Ipv4Addr> {
    let mut octets = [0_u8; 4];
    let mut rest = text;
    let mut is_first = true;
    for octet in &mut octets {
        if !is_first {
            rest = rest.strip_prefix(b".")?;
        }
        is_first = false;
        let (value, behind) = match rest {
            [
                a @ b'1'..=b'9',
                b @ b'0'..=b'9',
                c @ b'0'..=b'9',
                behind @ ..,
            ] => {
                let high = u16::from(a - b'0') * 100;
                let low = u16::from(b - b'0') * 10 + u16::from(c - b'0');
                (u8::try_from(high + low).ok()?, behind)
            }
            [a @ b'1'..=b'9', b @ b'0'..=b'9', behind @ ..] => {
                ((a - b'0') * 10 + (b - b'0'), behind)
            }
            [a @ b'0'..=b'9', behind @ ..] => (a - b'0', behind),
            _ => return None,
        };
        *octet = value;
        rest = behind;
    }
    rest.is_empty().then(|| Ipv4Addr::from(octets))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_text_is_read_as_by_the_standard_library(text in "[0-9a-f:.]{0,16}") {
            prop_assert_eq!(parse(text.as_bytes()), text.parse().ok());
        }

        #[test]
        fn every_address_is_read(bits in any::<u32>()) {
            let address = Ipv4Addr::from(bits);
            prop_assert_eq!(v4(address.to_string().as_bytes()), Some(address));
        }
    }
}
