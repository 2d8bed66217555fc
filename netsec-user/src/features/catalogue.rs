//! The features by name.

use crate::table::Unit;

/// What a feature is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The connection.
    Connection,
    /// Its originator, over the window.
    Source,
    /// Its originator and responder, over the window.
    Pair,
}

impl Subject {
    /// As it is printed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Source => "source",
            Self::Pair => "pair",
        }
    }
}

/// One feature.
#[derive(Clone, Copy, Debug)]
pub struct Definition {
    /// Its name in models and outputs.
    pub name: &'static str,
    /// What its numbers mean.
    pub unit: Unit,
    /// What it is about.
    pub subject: Subject,
    /// Smallest and largest value.
    pub range: (f64, f64),
    /// Whether it is missing in the first window of traffic.
    pub needs_history: bool,
    /// What it is, and when it is missing.
    pub what: &'static str,
}

impl Definition {
    /// What it is called in a sentence; a flag's is said when it is up.
    #[must_use]
    pub fn phrase(name: &str) -> Option<&'static str> {
        Some(match name {
            "first_contact" => "first contact with this host",
            "first_contact_network" => "first contact with this network",
            "first_service" => "first use of this service by this host",
            "failed" => "nothing came of it",
            _ => return None,
        })
    }
}

/// Names and definitions, in one order.
macro_rules! features {
    ($($variant:ident $name:literal $subject:ident $unit:ident $range:expr, $history:literal, $what:literal;)+) => {
        /// A feature's place in a vector.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Name {
            $(#[doc = $what] $variant,)+
        }

        /// All features, in the order of a vector.
        pub const FEATURES: [Definition; COUNT] = [
            $(Definition {
                name: $name,
                unit: Unit::$unit,
                subject: Subject::$subject,
                range: $range,
                needs_history: $history,
                what: $what,
            },)+
        ];

        /// How many there are.
        pub const COUNT: usize = [$($name,)+].len();
    };
}

const ANY: (f64, f64) = (0.0, f64::INFINITY);
const SHARE: (f64, f64) = (0.0, 1.0);
/// From an IPv4 header without a link's to the longest frame of a capture.
const FRAME: (f64, f64) = (20.0, 262_144.0);

features! {
    Duration "duration" Connection Seconds ANY, false, "from the first packet to the last";
    PacketsOut "packets_out" Connection Number ANY, false, "packets from the originator";
    PacketsIn "packets_in" Connection Number ANY, false, "packets from the responder";
    BytesOut "bytes_out" Connection Bytes ANY, false, "bytes from the originator, link headers included where the source has them";
    BytesIn "bytes_in" Connection Bytes ANY, false, "bytes from the responder, likewise";
    BytesOutShare "bytes_out_share" Connection Share SHARE, false, "share of the bytes that the originator sent";
    FrameBytesOut "frame_bytes_out" Connection Bytes FRAME, false, "mean size of the originator's packets; missing without one";
    FrameBytesIn "frame_bytes_in" Connection Bytes FRAME, false, "mean size of the responder's packets; missing without one";
    PacketGap "packet_gap" Connection Seconds ANY, false, "mean time between two packets, either way; missing with one packet";
    FlagSyn "flag_syn" Connection Flag SHARE, false, "a SYN from either side; flags are missing but for TCP";
    FlagFin "flag_fin" Connection Flag SHARE, false, "a FIN from either side";
    FlagRst "flag_rst" Connection Flag SHARE, false, "a RST from either side";
    FlagPsh "flag_psh" Connection Flag SHARE, false, "a PSH from either side";
    FlagUrg "flag_urg" Connection Flag SHARE, false, "an URG from either side";
    Answered "answered" Connection Flag SHARE, false, "packets from the responder";
    Failed "failed" Connection Flag SHARE, false, "refused, not answered, or TCP opened and closed without a word";
    ServiceRarity "service_rarity" Connection Rarity (0.0, 10.0), true, "how rare the protocol and responder's port are: log2 of connections over connections to it, whole bits";
    SourceConnections "source_connections" Source Number ANY, false, "connections opened";
    SourceHosts "source_hosts" Source Number ANY, false, "different hosts that connections were opened to";
    SourceServices "source_services" Source Number ANY, false, "different protocols and responder's ports";
    SourceFailedShare "source_failed_share" Source Share SHARE, false, "share of connections that failed, of those that are decided; missing without one";
    SourceNewPairs "source_new_pairs" Source Number ANY, true, "hosts met for the first time";
    SourceBytesOut "source_bytes_out" Source Bytes ANY, false, "bytes sent on connections that it opened";
    SourceBytesUsual "source_bytes_usual" Source Number ANY, true, "bytes sent in this window over the mean of its earlier windows with traffic, a day's at most; missing without one";
    PairConnections "pair_connections" Pair Number ANY, false, "connections opened";
    PairServices "pair_services" Pair Number ANY, false, "different protocols and responder's ports";
    PairFailedShare "pair_failed_share" Pair Share SHARE, false, "share of connections that failed, of those that are decided; missing without one";
    PairBytesOut "pair_bytes_out" Pair Bytes ANY, false, "bytes sent";
    PairInterval "pair_interval" Pair Seconds ANY, false, "mean time between the beginnings of connections since they first met; missing with one";
    FirstContact "first_contact" Pair Flag SHARE, true, "the first connection of this pair";
    FirstContactNetwork "first_contact_network" Pair Flag SHARE, true, "the originator's first connection with the responder's network (/24 or /48)";
    FirstService "first_service" Source Flag SHARE, true, "the originator's first connection with this protocol and responder's port";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_in_place() {
        for (at, feature) in FEATURES.iter().enumerate() {
            let before = FEATURES.iter().take(at);
            assert!(
                before.into_iter().all(|other| other.name != feature.name),
                "{}",
                feature.name
            );
            assert!(feature.range.0 < feature.range.1);
        }
        assert_eq!(FEATURES[Name::FirstService as usize].name, "first_service");
        assert_eq!(FEATURES[Name::BytesOut as usize].name, "bytes_out");
    }
}
