//! Headers that mutations put in, and the numbers that announce headers.

/// IPv4, IPv6, ARP, tags, MPLS, PPPoE, LLDP, 802.1X, MACsec, a length, and one that nobody has.
pub(super) const ETHERTYPES: [u16; 15] = [
    0x0800, 0x86dd, 0x0806, 0x8035, 0x8100, 0x88a8, 0x9100, 0x8847, 0x8848, 0x8863, 0x8864, 0x88cc,
    0x888e, 0x88e5, 0x0040,
];

/// Extension headers of IPv6, transports, tunnels, and one that nobody has.
pub(super) const PROTOCOLS: [u8; 18] = [
    0, 1, 2, 4, 6, 17, 41, 43, 44, 47, 50, 51, 58, 59, 60, 132, 135, 255,
];

/// A header to put in.
pub(super) struct Prefix {
    /// Where.
    pub(super) at: usize,
    pub(super) bytes: &'static [u8],
    /// At most so many one behind another.
    pub(super) times: usize,
    /// What announces it, and where that stands.
    pub(super) announced: Option<(usize, &'static [u8])>,
}

/// What can be put in.
pub(super) const fn prefixes() -> &'static [Prefix] {
    const TAG: &[u8] = &[0x81, 0x00, 0x20, 0x07];
    const SERVICE_TAG: &[u8] = &[0x88, 0xa8, 0x0f, 0xff];
    const LABEL: &[u8] = &[0x00, 0x01, 0x00, 0x40];
    const LAST_LABEL: &[u8] = &[0x00, 0x01, 0x01, 0x40];
    const PPPOE: &[u8] = &[0x11, 0x00, 0x00, 0x01, 0x00, 0x30, 0x00, 0x21];
    const OPTIONS: &[u8] = &[0x3c, 0, 1, 4, 0, 0, 0, 0];
    const FRAGMENT: &[u8] = &[0x11, 0, 0x00, 0x09, 0, 0, 0, 1];
    const fn prefix(at: usize, bytes: &'static [u8], times: usize) -> Prefix {
        Prefix {
            at,
            bytes,
            times,
            announced: None,
        }
    }
    const fn announced(
        at: usize,
        bytes: &'static [u8],
        times: usize,
        place: usize,
        value: &'static [u8],
    ) -> Prefix {
        Prefix {
            at,
            bytes,
            times,
            announced: Some((place, value)),
        }
    }
    const PREFIXES: [Prefix; 8] = [
        prefix(12, TAG, 3),
        prefix(12, SERVICE_TAG, 3),
        announced(14, LABEL, 10, 12, &[0x88, 0x47]),
        announced(14, LAST_LABEL, 1, 12, &[0x88, 0x47]),
        announced(14, PPPOE, 1, 12, &[0x88, 0x64]),
        announced(54, OPTIONS, 10, 20, &[60]),
        announced(54, FRAGMENT, 2, 20, &[44]),
        announced(34, OPTIONS, 5, 14, &[0x4f]),
    ];
    &PREFIXES
}
