//! The counters, each with its name and class.

/// What a counter says about the frames it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// All frames and bytes seen.
    Total,
    /// A property of the frame, counted besides its place in the identity.
    Attribute,
    /// Frames left to another hook, which counts them. Not among the frames of the identity.
    Elsewhere,
    /// Frames accounted in the flow cache.
    Flow,
    /// Frames without IP, by kind. Part of the identity.
    NotIp,
    /// Frames that could not be read to the end, by reason. Part of the identity.
    Malformed,
    /// Frames dropped by the block table, by reason: in no flow. Part of the identity.
    Dropped,
    /// What the block table did besides: bytes, and frames that it let through.
    Verdict,
    /// Frames the engine could not account for. Part of the identity; zero unless netsec is broken.
    Unaccounted,
    /// What the flow cache did: inserts, evictions, exports.
    Cache,
    /// What a full ring buffer cost.
    Lost,
    /// Header samples taken.
    Sample,
    /// Tunnel headers met, each with one packet inside: all of the second identity.
    Tunnel,
    /// Packets in tunnels that are accounted in the flow cache, as flows of their own.
    InnerFlow,
    /// Packets in tunnels without IP, by kind. Part of the second identity.
    InnerNotIp,
    /// Packets in tunnels that could not be read to the end, by reason. Part of the second identity.
    InnerMalformed,
    /// Packets in tunnels that are not looked at, by reason. Part of the second identity.
    InnerUnread,
    /// Packets in tunnels that the engine could not account for. Part of the second identity; zero
    /// unless netsec is broken.
    InnerUnaccounted,
}

macro_rules! counters {
    ($($(#[$doc:meta])+ $variant:ident = $name:literal, $class:ident;)+) => {
        /// One counter of the ledger. Its value is its index in a [`Row`](crate::ledger::Row).
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
        pub enum Counter {
            $($(#[$doc])+ $variant,)+
        }

        impl Counter {
            /// Every counter, in ledger order.
            pub const ALL: [Self; [$(Self::$variant),+].len()] = [$(Self::$variant),+];

            /// The counter's name in outputs and metrics.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// What the counter says about the frames it counts.
            #[must_use]
            pub const fn class(self) -> Class {
                match self {
                    $(Self::$variant => Class::$class,)+
                }
            }
        }
    };
}

impl Counter {
    /// From a reason why a frame is in no flow to the same of a packet in a tunnel.
    pub(super) const INWARDS: u32 = Self::InnerArp as u32 - Self::Arp as u32;
}

counters! {
    /// Frames seen by the hook.
    Frames = "frames", Total;
    /// Bytes of those frames, from the link header on, without frame check sequence.
    Bytes = "bytes", Total;

    /// Forwarded frames that another watched interface has counted as they came in.
    Forwarded = "forwarded", Elsewhere;
    /// Bytes of those frames.
    ForwardedBytes = "forwarded_bytes", Elsewhere;

    /// Frames whose outermost IP header is IPv4 (RFC 791).
    Ipv4 = "ipv4", Attribute;
    /// Frames whose outermost IP header is IPv6 (RFC 8200).
    Ipv6 = "ipv6", Attribute;
    /// TCP segments with a readable header (RFC 9293).
    Tcp = "tcp", Attribute;
    /// UDP datagrams with a readable header (RFC 768).
    Udp = "udp", Attribute;
    /// SCTP packets with a readable common header (RFC 9260).
    Sctp = "sctp", Attribute;
    /// ICMP messages for IPv4 (RFC 792).
    Icmp = "icmp", Attribute;
    /// ICMPv6 messages (RFC 4443).
    Icmpv6 = "icmpv6", Attribute;
    /// Packets of any other IP protocol.
    OtherTransport = "other_transport", Attribute;
    /// Frames with at least one VLAN tag (802.1Q or 802.1ad).
    Vlan = "vlan", Attribute;
    /// IPv4 fragments, first ones included.
    Ipv4Fragments = "ipv4_fragments", Attribute;
    /// IPv6 fragments, first ones included; atomic fragments (RFC 6946) are not.
    Ipv6Fragments = "ipv6_fragments", Attribute;
    /// Fragments after the first: they carry no ports.
    LaterFragments = "later_fragments", Attribute;
    /// TCP segments with SYN and without ACK.
    TcpSyn = "tcp_syn", Attribute;
    /// TCP segments with SYN and ACK.
    TcpSynAck = "tcp_synack", Attribute;
    /// TCP segments with RST.
    TcpRst = "tcp_rst", Attribute;
    /// TCP segments with no flag at all.
    TcpNull = "tcp_null", Attribute;

    /// Frames accounted in the flow cache.
    FlowPackets = "flow_packets", Flow;
    /// Bytes accounted in the flow cache.
    FlowBytes = "flow_bytes", Flow;

    /// ARP and RARP (RFC 826).
    Arp = "arp", NotIp;
    /// IEEE 802.3 frames with a length instead of an Ethernet type: LLC, spanning tree.
    Llc = "llc", NotIp;
    /// Link layer discovery (802.1AB).
    Lldp = "lldp", NotIp;
    /// Port authentication (802.1X).
    Eapol = "eapol", NotIp;
    /// Encrypted link frames (802.1AE).
    Macsec = "macsec", NotIp;
    /// PPPoE discovery, and PPP control protocols inside PPPoE sessions (RFC 2516).
    PppControl = "ppp_control", NotIp;
    /// MPLS label stacks whose payload is not IP (RFC 3032).
    MplsOther = "mpls_other", NotIp;
    /// A third VLAN tag.
    VlanDepth = "vlan_depth", NotIp;
    /// Any other Ethernet type.
    OtherEthertype = "other_ethertype", NotIp;

    /// Fewer than 14 bytes.
    EthernetTruncated = "ethernet_truncated", Malformed;
    /// A VLAN tag that is cut short.
    VlanTruncated = "vlan_truncated", Malformed;
    /// An MPLS label that is cut short.
    MplsTruncated = "mpls_truncated", Malformed;
    /// More than eight MPLS labels.
    MplsDepth = "mpls_depth", Malformed;
    /// A PPPoE or PPP header that is cut short.
    PppoeTruncated = "pppoe_truncated", Malformed;
    /// Fewer than 20 bytes of IPv4 header, or options that are cut short.
    Ipv4Truncated = "ipv4_truncated", Malformed;
    /// An IPv4 Ethernet type whose version is not 4.
    Ipv4Version = "ipv4_version", Malformed;
    /// An IPv4 header length under 20 bytes.
    Ipv4HeaderLength = "ipv4_header_length", Malformed;
    /// An IPv4 total length shorter than its header or longer than the frame.
    Ipv4TotalLength = "ipv4_total_length", Malformed;
    /// Fewer than 40 bytes of IPv6 header.
    Ipv6Truncated = "ipv6_truncated", Malformed;
    /// An IPv6 Ethernet type whose version is not 6.
    Ipv6Version = "ipv6_version", Malformed;
    /// An IPv6 payload length longer than the frame.
    Ipv6PayloadLength = "ipv6_payload_length", Malformed;
    /// An IPv6 extension header that is cut short.
    Ipv6ExtensionTruncated = "ipv6_extension_truncated", Malformed;
    /// More than eight IPv6 extension headers.
    Ipv6ExtensionLimit = "ipv6_extension_limit", Malformed;
    /// A TCP header that is cut short.
    TcpTruncated = "tcp_truncated", Malformed;
    /// A TCP data offset under 20 bytes or past the segment.
    TcpDataOffset = "tcp_data_offset", Malformed;
    /// A UDP header that is cut short.
    UdpTruncated = "udp_truncated", Malformed;
    /// A UDP length under 8 bytes or past the datagram.
    UdpLength = "udp_length", Malformed;
    /// An SCTP common header that is cut short.
    SctpTruncated = "sctp_truncated", Malformed;
    /// An ICMP header that is cut short.
    IcmpTruncated = "icmp_truncated", Malformed;
    /// An ICMPv6 header that is cut short.
    Icmpv6Truncated = "icmpv6_truncated", Malformed;

    /// A live entry of the blocklist matched.
    DroppedByBlock = "dropped_by_block", Dropped;
    /// More than its entry's rate lets through.
    DroppedByRateLimit = "dropped_by_rate_limit", Dropped;
    /// The agent was silent for too long, and then only the allowlist passes.
    DroppedClosed = "dropped_closed", Dropped;

    /// Bytes of frames dropped by an entry.
    DroppedByBlockBytes = "dropped_by_block_bytes", Verdict;
    /// Bytes of frames dropped by a rate limit.
    DroppedByRateLimitBytes = "dropped_by_rate_limit_bytes", Verdict;
    /// Bytes of frames dropped because the agent was silent.
    DroppedClosedBytes = "dropped_closed_bytes", Verdict;
    /// Frames that a live entry would have dropped, in a dry run.
    WouldDropByBlock = "would_drop_by_block", Verdict;
    /// Bytes of those frames.
    WouldDropByBlockBytes = "would_drop_by_block_bytes", Verdict;
    /// Frames that a rate limit would have dropped, in a dry run.
    WouldDropByRateLimit = "would_drop_by_rate_limit", Verdict;
    /// Bytes of those frames.
    WouldDropByRateLimitBytes = "would_drop_by_rate_limit_bytes", Verdict;
    /// Frames that silence of the agent would have dropped, in a dry run.
    WouldDropClosed = "would_drop_closed", Verdict;
    /// Bytes of those frames.
    WouldDropClosedBytes = "would_drop_closed_bytes", Verdict;
    /// Frames that were to be dropped and matched the allowlist.
    SavedByAllowlist = "saved_by_allowlist", Verdict;
    /// Bytes of those frames.
    SavedByAllowlistBytes = "saved_by_allowlist_bytes", Verdict;
    /// Frames that were to be dropped, from an address that never is: loopback, link-local, multicast.
    SavedByGuard = "saved_by_guard", Verdict;
    /// Bytes of those frames.
    SavedByGuardBytes = "saved_by_guard_bytes", Verdict;
    /// Frames within their entry's rate.
    PassedRateLimit = "passed_rate_limit", Verdict;
    /// Bytes of those frames.
    PassedRateLimitBytes = "passed_rate_limit_bytes", Verdict;
    /// Frames that a live entry matched while the agent was silent and nothing is dropped then.
    PassedOpen = "passed_open", Verdict;
    /// Bytes of those frames.
    PassedOpenBytes = "passed_open_bytes", Verdict;
    /// Entries that would have matched a frame and had expired: up to one for each shape of entry.
    ExpiredSeen = "expired_entry_seen", Verdict;
    /// Bytes of those frames, once for each entry.
    ExpiredSeenBytes = "expired_entry_seen_bytes", Verdict;

    /// The flow cache had no set for the packet.
    NoFlowSet = "no_flow_set", Unaccounted;

    /// Flow cache entries opened.
    FlowsOpened = "flows_opened", Cache;
    /// Entries pushed out by a newer flow.
    FlowsEvicted = "flows_evicted", Cache;
    /// Entries restarted in place: idle too long, a new TCP connection, or a counter at its limit.
    FlowsRestarted = "flows_restarted", Cache;
    /// Packets in flow records handed to the record ring.
    ExportedPackets = "exported_packets", Cache;
    /// Bytes in flow records handed to the record ring.
    ExportedBytes = "exported_bytes", Cache;

    /// Flow records of frames that found the record ring full.
    RecordsLost = "records_lost", Lost;
    /// Packets in those records.
    RecordsLostPackets = "records_lost_packets", Lost;
    /// Bytes in those records.
    RecordsLostBytes = "records_lost_bytes", Lost;
    /// Header samples that found the packet ring full.
    SamplesLost = "samples_lost", Lost;
    /// Bytes of the frames of those samples.
    SamplesLostBytes = "samples_lost_bytes", Lost;

    /// Header samples handed to the packet ring.
    Samples = "samples", Sample;

    /// Tunnel headers met: each carries one packet.
    Tunnelled = "tunnelled", Tunnel;
    /// Packets in tunnels accounted in the flow cache.
    InnerFlowPackets = "inner_flow_packets", InnerFlow;
    /// Bytes of those packets, from what follows the tunnel's header on.
    InnerFlowBytes = "inner_flow_bytes", InnerFlow;
    /// [`Arp`](Self::Arp) inside of a tunnel.
    InnerArp = "inner_arp", InnerNotIp;
    /// [`Llc`](Self::Llc) inside of a tunnel.
    InnerLlc = "inner_llc", InnerNotIp;
    /// [`Lldp`](Self::Lldp) inside of a tunnel.
    InnerLldp = "inner_lldp", InnerNotIp;
    /// [`Eapol`](Self::Eapol) inside of a tunnel.
    InnerEapol = "inner_eapol", InnerNotIp;
    /// [`Macsec`](Self::Macsec) inside of a tunnel.
    InnerMacsec = "inner_macsec", InnerNotIp;
    /// [`PppControl`](Self::PppControl) inside of a tunnel.
    InnerPppControl = "inner_ppp_control", InnerNotIp;
    /// [`MplsOther`](Self::MplsOther) inside of a tunnel.
    InnerMplsOther = "inner_mpls_other", InnerNotIp;
    /// [`VlanDepth`](Self::VlanDepth) inside of a tunnel.
    InnerVlanDepth = "inner_vlan_depth", InnerNotIp;
    /// [`OtherEthertype`](Self::OtherEthertype) inside of a tunnel.
    InnerOtherEthertype = "inner_other_ethertype", InnerNotIp;
    /// [`EthernetTruncated`](Self::EthernetTruncated) inside of a tunnel.
    InnerEthernetTruncated = "inner_ethernet_truncated", InnerMalformed;
    /// [`VlanTruncated`](Self::VlanTruncated) inside of a tunnel.
    InnerVlanTruncated = "inner_vlan_truncated", InnerMalformed;
    /// [`MplsTruncated`](Self::MplsTruncated) inside of a tunnel.
    InnerMplsTruncated = "inner_mpls_truncated", InnerMalformed;
    /// [`MplsDepth`](Self::MplsDepth) inside of a tunnel.
    InnerMplsDepth = "inner_mpls_depth", InnerMalformed;
    /// [`PppoeTruncated`](Self::PppoeTruncated) inside of a tunnel.
    InnerPppoeTruncated = "inner_pppoe_truncated", InnerMalformed;
    /// [`Ipv4Truncated`](Self::Ipv4Truncated) inside of a tunnel.
    InnerIpv4Truncated = "inner_ipv4_truncated", InnerMalformed;
    /// [`Ipv4Version`](Self::Ipv4Version) inside of a tunnel.
    InnerIpv4Version = "inner_ipv4_version", InnerMalformed;
    /// [`Ipv4HeaderLength`](Self::Ipv4HeaderLength) inside of a tunnel.
    InnerIpv4HeaderLength = "inner_ipv4_header_length", InnerMalformed;
    /// [`Ipv4TotalLength`](Self::Ipv4TotalLength) inside of a tunnel.
    InnerIpv4TotalLength = "inner_ipv4_total_length", InnerMalformed;
    /// [`Ipv6Truncated`](Self::Ipv6Truncated) inside of a tunnel.
    InnerIpv6Truncated = "inner_ipv6_truncated", InnerMalformed;
    /// [`Ipv6Version`](Self::Ipv6Version) inside of a tunnel.
    InnerIpv6Version = "inner_ipv6_version", InnerMalformed;
    /// [`Ipv6PayloadLength`](Self::Ipv6PayloadLength) inside of a tunnel.
    InnerIpv6PayloadLength = "inner_ipv6_payload_length", InnerMalformed;
    /// [`Ipv6ExtensionTruncated`](Self::Ipv6ExtensionTruncated) inside of a tunnel.
    InnerIpv6ExtensionTruncated = "inner_ipv6_extension_truncated", InnerMalformed;
    /// [`Ipv6ExtensionLimit`](Self::Ipv6ExtensionLimit) inside of a tunnel.
    InnerIpv6ExtensionLimit = "inner_ipv6_extension_limit", InnerMalformed;
    /// [`TcpTruncated`](Self::TcpTruncated) inside of a tunnel.
    InnerTcpTruncated = "inner_tcp_truncated", InnerMalformed;
    /// [`TcpDataOffset`](Self::TcpDataOffset) inside of a tunnel.
    InnerTcpDataOffset = "inner_tcp_data_offset", InnerMalformed;
    /// [`UdpTruncated`](Self::UdpTruncated) inside of a tunnel.
    InnerUdpTruncated = "inner_udp_truncated", InnerMalformed;
    /// [`UdpLength`](Self::UdpLength) inside of a tunnel.
    InnerUdpLength = "inner_udp_length", InnerMalformed;
    /// [`SctpTruncated`](Self::SctpTruncated) inside of a tunnel.
    InnerSctpTruncated = "inner_sctp_truncated", InnerMalformed;
    /// [`IcmpTruncated`](Self::IcmpTruncated) inside of a tunnel.
    InnerIcmpTruncated = "inner_icmp_truncated", InnerMalformed;
    /// [`Icmpv6Truncated`](Self::Icmpv6Truncated) inside of a tunnel.
    InnerIcmpv6Truncated = "inner_icmpv6_truncated", InnerMalformed;
    /// A tunnel header that is cut short, or longer than what it lies in.
    TunnelTruncated = "tunnel_truncated", InnerMalformed;
    /// Fragments of packets that carry a tunnel: they are not put together.
    TunnelFragments = "tunnel_fragments", InnerUnread;
    /// What has a tunnel's protocol or port and is no data packet of a tunnel that is read.
    TunnelUnknown = "tunnel_unknown", InnerUnread;
    /// A tunnel in the second tunnel, or one that begins past the first 32 KiB of the frame.
    TunnelDepth = "tunnel_depth", InnerUnread;
    /// The flow cache had no set for a packet in a tunnel.
    InnerNoFlowSet = "inner_no_flow_set", InnerUnaccounted;
    /// Flow records of packets in tunnels that found the record ring full.
    InnerRecordsLost = "inner_records_lost", Lost;
    /// Packets in those records.
    InnerRecordsLostPackets = "inner_records_lost_packets", Lost;
    /// Bytes in those records.
    InnerRecordsLostBytes = "inner_records_lost_bytes", Lost;
}
