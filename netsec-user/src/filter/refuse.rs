//! Words of tcpdump's language that have no meaning for a flow.

const LENGTH: &str = "the packets of one flow differ in length, so a flow cannot be asked for it";
const LINK: &str = "Ethernet addresses are not kept; use `host` or `net` with IP addresses";
const BYTES: &str = "a flow keeps no packet bytes; test addresses, ports and protocols";
const TUNNEL: &str = "the outermost IP packet is what is counted; use `udp port` of the tunnel";
const MPLS: &str = "labels are read through and not kept; test the IP packet behind them";
const PPPOE: &str = "the header is read through and not kept; test the IP packet behind it";
const PLACE: &str =
    "a filter knows packets, not where they were seen; choose the interface instead";
const OTHER: &str = "no addresses of this protocol are kept; use `ether proto` and its number";
const LLC: &str = "frames without an Ethernet type are counted and not kept";
const WIRELESS: &str = "only Ethernet and raw IP frames are read";
const ADDRESSES: &str = "a flow has neither Ethernet addresses nor a netmask; \
                         use `dst host 255.255.255.255`, or `dst host` and the network's own";
const MULTICAST: &str = "alone it asks for Ethernet addresses, which are not kept; \
                         use `ip multicast` or `ip6 multicast`";
const CHAIN: &str = "`proto` already looks behind IPv6 extension headers";

const WORDS: [(&str, &str); 57] = [
    ("len", LENGTH),
    ("length", LENGTH),
    ("less", LENGTH),
    ("greater", LENGTH),
    ("byte", BYTES),
    ("gateway", LINK),
    ("link", LINK),
    ("ppp", LINK),
    ("slip", LINK),
    ("fddi", LINK),
    ("tr", LINK),
    ("broadcast", ADDRESSES),
    ("multicast", MULTICAST),
    ("protochain", CHAIN),
    ("mpls", MPLS),
    ("pppoed", "use `ether proto 0x8863`"),
    ("pppoes", PPPOE),
    ("geneve", TUNNEL),
    ("vxlan", TUNNEL),
    ("inbound", PLACE),
    ("outbound", PLACE),
    ("ifindex", PLACE),
    ("ifname", PLACE),
    ("on", PLACE),
    ("rnr", PLACE),
    ("rulenum", PLACE),
    ("rset", PLACE),
    ("ruleset", PLACE),
    ("srnr", PLACE),
    ("subrulenum", PLACE),
    ("reason", PLACE),
    ("action", PLACE),
    ("atalk", OTHER),
    ("aarp", OTHER),
    ("decnet", OTHER),
    ("lat", OTHER),
    ("sca", OTHER),
    ("moprc", OTHER),
    ("mopdl", OTHER),
    ("ipx", OTHER),
    ("iso", LLC),
    ("esis", LLC),
    ("es-is", LLC),
    ("isis", LLC),
    ("is-is", LLC),
    ("clnp", LLC),
    ("stp", LLC),
    ("netbeui", LLC),
    ("llc", LLC),
    ("wlan", WIRELESS),
    ("type", WIRELESS),
    ("subtype", WIRELESS),
    ("dir", WIRELESS),
    ("direction", WIRELESS),
    ("ra", WIRELESS),
    ("ta", WIRELESS),
    ("radio", WIRELESS),
];

/// Why a word of tcpdump's language is refused, or `None` for another word.
pub(super) fn reason(word: &str) -> Option<&'static str> {
    WORDS
        .iter()
        .find(|(refused, _)| *refused == word)
        .map(|(_, why)| *why)
}

/// Why `[`, `>`, `&` and the like are refused.
pub(super) const fn arithmetic() -> &'static str {
    BYTES
}

/// Why `ether host` and its like are refused.
pub(super) const fn link_address() -> &'static str {
    LINK
}
