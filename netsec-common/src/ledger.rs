//! The coverage ledger: every frame is counted, and every counter has one reason.
//!
//! The identity that [`Snapshot::imbalance`] checks holds after every frame:
//!
//! ```text
//! frames = flow_packets + Σ not-IP kinds + Σ malformed reasons + Σ dropped + unaccounted
//! ```

use crate::word::{Word, observe, publish};

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
}

macro_rules! counters {
    ($($(#[$doc:meta])+ $variant:ident = $name:literal, $class:ident;)+) => {
        /// One counter of the ledger. Its value is its index in a [`Row`].
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

    /// Flow records that found the record ring full.
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
}

/// Number of counters in a [`Row`].
pub const COUNTERS: usize = Counter::ALL.len();

/// One CPU's share of the ledger, written by that CPU alone.
///
/// `sequence` is odd while a frame is being counted, so that a reader can take a snapshot in which
/// the identity holds exactly.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Row {
    sequence: Word,
    countdown: Word,
    counters: [Word; COUNTERS],
}

const _: () = assert!(size_of::<Row>().is_multiple_of(64));
const _: () = assert!(core::mem::offset_of!(Row, counters) == 16);

impl Default for Row {
    fn default() -> Self {
        Self::new()
    }
}

impl Row {
    /// A row with every counter at zero.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            sequence: Word::new(),
            countdown: Word::new(),
            counters: [const { Word::new() }; COUNTERS],
        }
    }

    /// Adds one to a counter.
    #[inline(always)]
    pub fn count(&self, counter: Counter) {
        self.add(counter, 1);
    }

    /// Adds `amount` to a counter. The row has one writer, so no atomic addition is needed.
    #[inline(always)]
    pub fn add(&self, counter: Counter, amount: u64) {
        if let Some(cell) = self.counters.get(counter as usize) {
            cell.store(cell.load().wrapping_add(amount));
        }
    }

    /// True once in `n` calls: the clock of 1-in-n sampling. `n` = 0 is never.
    #[inline(always)]
    pub fn one_in(&self, n: u32) -> bool {
        if n == 0 {
            return false;
        }
        let left = self.countdown.load();
        let due = left == 0;
        let next = if due {
            u64::from(n) - 1
        } else {
            (left - 1).min(u64::from(n) - 1)
        };
        self.countdown.store(next);
        due
    }

    /// Marks the start of a frame.
    #[inline(always)]
    pub fn begin(&self) {
        let sequence = self.sequence.load();
        self.sequence.store(sequence.wrapping_add(1));
        publish();
    }

    /// Marks the end of a frame.
    #[inline(always)]
    pub fn end(&self) {
        publish();
        let sequence = self.sequence.load();
        self.sequence.store(sequence.wrapping_add(1));
    }

    /// Copies the row as it stood between two frames, or `None` when `tries` attempts each met a
    /// frame in progress.
    #[must_use]
    pub fn snapshot(&self, tries: u32) -> Option<Snapshot> {
        for _ in 0..tries {
            let before = self.sequence.load();
            observe();
            let snapshot = self.read();
            observe();
            let after = self.sequence.load();
            if before == after && before.is_multiple_of(2) {
                return Some(snapshot);
            }
            core::hint::spin_loop();
        }
        None
    }

    /// Copies the counters as they are, in the middle of a frame or not.
    #[must_use]
    pub fn read(&self) -> Snapshot {
        let mut snapshot = Snapshot::default();
        for (value, cell) in snapshot.0.iter_mut().zip(&self.counters) {
            *value = cell.load();
        }
        snapshot
    }
}

/// The counters at one moment, of one CPU or summed over several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot([u64; COUNTERS]);

impl Default for Snapshot {
    fn default() -> Self {
        Self([0; COUNTERS])
    }
}

impl Snapshot {
    /// The value of one counter.
    #[must_use]
    pub fn get(&self, counter: Counter) -> u64 {
        self.0.get(counter as usize).copied().unwrap_or_default()
    }

    /// The sum of all counters of a class.
    #[must_use]
    pub fn sum(&self, class: Class) -> u64 {
        self.iter()
            .filter(|(counter, _)| counter.class() == class)
            .map(|(_, value)| value)
            .sum()
    }

    /// Every counter with its value, in ledger order.
    pub fn iter(&self) -> impl Iterator<Item = (Counter, u64)> + '_ {
        Counter::ALL.into_iter().zip(self.0.iter().copied())
    }

    /// Adds another snapshot to this one: another CPU, or another interface.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine = mine.wrapping_add(theirs);
        }
    }

    /// What was counted since an earlier snapshot.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut difference = *self;
        for (mine, theirs) in difference.0.iter_mut().zip(earlier.0) {
            *mine = mine.wrapping_sub(theirs);
        }
        difference
    }

    /// Frames with an outcome: in a flow, not IP, malformed, dropped or unaccounted.
    #[must_use]
    pub fn explained(&self) -> u64 {
        self.get(Counter::FlowPackets)
            .wrapping_add(self.sum(Class::NotIp))
            .wrapping_add(self.sum(Class::Malformed))
            .wrapping_add(self.sum(Class::Dropped))
            .wrapping_add(self.sum(Class::Unaccounted))
    }

    /// Frames seen minus frames explained: zero when the identity holds.
    #[must_use]
    pub fn imbalance(&self) -> i64 {
        self.get(Counter::Frames)
            .wrapping_sub(self.explained())
            .cast_signed()
    }
}

#[cfg(test)]
mod tests;
