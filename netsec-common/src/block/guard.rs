//! Addresses that are never dropped, whatever the table says.

use super::prefix::Prefix;
use super::shape::Subject;

/// Whether a packet's source is one of [`GUARDED`].
#[inline(always)]
pub(super) const fn is_guarded(subject: &Subject) -> bool {
    if subject.is_v4() {
        let address = subject.low & 0xffff_ffff;
        return address == 0
            || address >> 24 == 127
            || address >> 16 == 169 << 8 | 254
            || address >> 28 == 0xe
            || address == 0xffff_ffff;
    }
    subject.high == 0 && subject.low <= 1
        || subject.high >> 54 == 0xfe80 >> 6
        || subject.high >> 56 == 0xff
}

/// What the kernel side never drops by source address, as people write it: unspecified (DHCP),
/// loopback, link-local (neighbour discovery, DHCP), multicast and broadcast.
pub const GUARDED: [&str; 9] = [
    "0.0.0.0",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "224.0.0.0/4",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::/10",
    "ff00::/8",
];

/// The guarded network that overlaps a prefix, if one does: such a prefix would never do what it says.
#[must_use]
pub fn guarded_overlap(prefix: Prefix) -> Option<Prefix> {
    GUARDED
        .iter()
        .filter_map(|text| text.parse::<Prefix>().ok())
        .find(|guarded| guarded.overlaps(prefix))
}

#[cfg(test)]
mod tests {
    use core::net::IpAddr;

    use super::*;

    fn guards(address: &str) -> bool {
        let address: IpAddr = address.parse().unwrap();
        is_guarded(&Subject::from_parts(Prefix::host(address), None, None))
    }

    /// The first and last address of each, and their neighbours outside.
    #[test]
    fn the_code_guards_what_the_list_says() {
        for (inside, outside) in [
            (["0.0.0.0", "0.0.0.0"], ["0.0.0.1", "1.0.0.0"]),
            (
                ["127.0.0.0", "127.255.255.255"],
                ["126.255.255.255", "128.0.0.0"],
            ),
            (
                ["169.254.0.0", "169.254.255.255"],
                ["169.253.255.255", "169.255.0.0"],
            ),
            (
                ["224.0.0.0", "239.255.255.255"],
                ["223.255.255.255", "240.0.0.0"],
            ),
            (
                ["255.255.255.255", "255.255.255.255"],
                ["255.255.255.254", "254.0.0.0"],
            ),
            (["::", "::1"], ["::2", "::fffe:ffff:ffff"]),
            (["fe80::", "febf:ffff::"], ["fe7f:ffff::", "fec0::"]),
            (["ff00::", "ffff:ffff::1"], ["feff:ffff::", "100::"]),
        ] {
            for address in inside {
                assert!(guards(address), "{address}");
                assert!(
                    guarded_overlap(address.parse().unwrap()).is_some(),
                    "{address}"
                );
            }
            for address in outside {
                assert!(!guards(address), "{address}");
                assert_eq!(guarded_overlap(address.parse().unwrap()), None, "{address}");
            }
        }
        assert!(guards("::ffff:127.0.0.1"), "mapped");
    }

    #[test]
    fn a_prefix_over_a_guarded_network_is_named() {
        let overlap = |text: &str| guarded_overlap(text.parse().unwrap());
        assert_eq!(overlap("0.0.0.0/0"), "0.0.0.0".parse().ok());
        assert_eq!(overlap("126.0.0.0/7"), "127.0.0.0/8".parse().ok());
        assert_eq!(overlap("fe80::/64"), "fe80::/10".parse().ok());
        assert_eq!(overlap("192.0.2.0/24"), None);
        assert!(GUARDED.iter().all(|text| text.parse::<Prefix>().is_ok()));
    }
}
