//! Many prefixes with their ends in one blob.
//!
//! Each prefix is a byte and an address. The byte is the length: 0 to 32 of IPv4, whose address takes 4
//! bytes, or 33 + (0 to 128) of IPv6, whose address takes 16. Byte 255 and 8 bytes (nanoseconds since
//! 1970, least significant first; the least number is "never") before a prefix say when it and all that
//! follow end; at the beginning it is never. So an entry of a plain IPv4 list takes 5 bytes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netsec_common::block::Prefix;

use crate::time::WallTime;

/// Says that an end follows.
const END: u8 = 255;

/// Added to the length of an IPv6 prefix.
const V6: u8 = 33;

/// An end that never comes.
const NEVER: i64 = i64::MIN;

/// Prefixes, packed.
#[derive(Debug, Default)]
pub(super) struct Packed {
    bytes: Vec<u8>,
    entries: u64,
    until: Option<WallTime>,
}

impl Packed {
    /// Adds one.
    pub(super) fn push(&mut self, prefix: Prefix, until: Option<WallTime>) {
        if until != self.until {
            let ns = until.map_or(NEVER, WallTime::as_ns);
            self.bytes.push(END);
            self.bytes.extend(ns.to_le_bytes());
            self.until = until;
        }
        match prefix.address() {
            IpAddr::V4(address) => {
                self.bytes.push(prefix.length());
                self.bytes.extend(address.octets());
            }
            IpAddr::V6(address) => {
                self.bytes.push(V6 + prefix.length());
                self.bytes.extend(address.octets());
            }
        }
        self.entries += 1;
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many prefixes it has.
    pub(super) const fn entries(&self) -> u64 {
        self.entries
    }
}

/// Shows each prefix with its end; `None` for bytes that [`Packed`] does not write.
pub(super) fn unpack(
    mut bytes: &[u8],
    mut visitor: impl FnMut(Prefix, Option<WallTime>),
) -> Option<()> {
    let mut until = None;
    while let Some((tag, rest)) = bytes.split_first() {
        bytes = rest;
        match *tag {
            END => {
                let ns = i64::from_le_bytes(take(&mut bytes)?);
                until = Some(ns).filter(|ns| *ns != NEVER).map(WallTime::from_ns);
            }
            length @ ..V6 => {
                let address = Ipv4Addr::from(take(&mut bytes)?);
                visitor(Prefix::new(address.into(), length)?, until);
            }
            length => {
                let address = Ipv6Addr::from(take(&mut bytes)?);
                visitor(Prefix::new(address.into(), length - V6)?, until);
            }
        }
    }
    Some(())
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries() -> Vec<(Prefix, Option<WallTime>)> {
        let at = |ns| Some(WallTime::from_ns(ns));
        let list = [
            ("0.0.0.0/0", None),
            ("192.0.2.1", None),
            ("192.0.2.0/24", at(0)),
            ("255.255.255.255", at(0)),
            ("::/0", at(i64::MAX)),
            ("2001:db8::/32", at(i64::MAX)),
            ("::1", at(-1)),
            ("192.0.2.2", None),
            // Shorter than the IPv4-mapped prefix, so that it is one of IPv6.
            ("::ffff:0:0/95", None),
        ];
        let parse = |(text, until): (&str, _)| (text.parse().unwrap(), until);
        list.map(parse).to_vec()
    }

    fn packed() -> Packed {
        let mut packed = Packed::default();
        for (prefix, until) in entries() {
            packed.push(prefix, until);
        }
        packed
    }

    #[test]
    fn what_is_packed_is_unpacked() {
        let packed = packed();
        let mut found = Vec::new();
        unpack(packed.bytes(), |prefix, until| found.push((prefix, until))).unwrap();
        assert_eq!(found, entries());
        assert_eq!(packed.entries(), found.len() as u64);
        assert_eq!(packed.bytes().len(), 5 * 5 + 4 * 17 + 4 * 9);
    }

    #[test]
    fn a_cut_is_found_unless_it_is_between_entries() {
        let packed = packed();
        let whole = packed.bytes();
        let mut sound = 0;
        for length in 0..whole.len() {
            let mut count = 0;
            if unpack(&whole[..length], |_, _| count += 1).is_some() {
                sound += 1;
                assert!(count < packed.entries());
            }
        }
        // Before each entry, and before each end.
        assert_eq!(sound, 9 + 4);
        assert!(unpack(&[V6 + 129, 0, 0, 0, 0], |_, _| ()).is_none());
    }
}
