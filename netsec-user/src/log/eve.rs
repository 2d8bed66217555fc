//! Suricata's EVE, and netsec's own JSON Lines, which have its shape.
//!
//! Field names and types are those of Suricata's `etc/schema.json`. What is not read is skipped.

mod alert;
mod flow;
mod line;
mod quick;
mod scalar;
mod stats;

pub use self::alert::{Alert, AlertEnd, InitiatorFlow, Verdict, decoder_noise};
pub use self::flow::{EveFlow, Flags};
pub(super) use self::line::type_after;
pub use self::line::{Anomaly, Dns, DnsQuery, Drop, Http, Tls};
pub use self::scalar::Text;
pub use self::stats::{Stats, StatsCapture, StatsDecoder};

use super::Tuple;
use crate::time::WallTime;

/// One event.
#[derive(Debug)]
pub struct Event<'a> {
    /// When it was written about.
    pub time: WallTime,
    /// Suricata's own number of the flow, 51 bits.
    pub flow_id: Option<u64>,
    /// Interface.
    pub in_iface: Option<Text<'a>>,
    /// Sensor.
    pub host: Option<Text<'a>>,
    /// From `src_ip` to `dest_ip`: for an alert the packet, not the flow.
    pub tuple: Option<Tuple>,
    /// IP protocol, where there are no addresses either.
    pub protocol: Option<u8>,
    /// Community ID as it is stated.
    pub community_id: Option<Text<'a>>,
    /// Application protocol.
    pub app_proto: Option<Text<'a>>,
    /// What the type adds.
    pub detail: EventDetail<'a>,
    from_fast: bool,
}

/// What the type of an event adds.
#[derive(Debug)]
pub enum EventDetail<'a> {
    /// A signature matched.
    Alert(Box<Alert<'a>>),
    /// A flow ended: Suricata's, or netsec's own.
    Flow(EveFlow<'a>),
    /// Counters of the engine.
    Stats(Stats),
    /// A packet was dropped.
    Drop(Drop<'a>),
    /// Something was not as protocols have it.
    Anomaly(Anomaly<'a>),
    /// A DNS query or answer.
    Dns(Dns<'a>),
    /// An HTTP transaction.
    Http(Http<'a>),
    /// A TLS handshake.
    Tls(Tls<'a>),
}

impl<'a> Event<'a> {
    pub(super) const fn new(time: WallTime, detail: EventDetail<'a>) -> Self {
        Self {
            time,
            flow_id: None,
            in_iface: None,
            host: None,
            tuple: None,
            protocol: None,
            community_id: None,
            app_proto: None,
            detail,
            from_fast: false,
        }
    }

    /// Says that it stood in fast.log.
    pub(super) const fn set_fast(&mut self) {
        self.from_fast = true;
    }

    /// `fast` for a line of fast.log, else `eve`.
    #[must_use]
    pub const fn family(&self) -> &'static str {
        if self.from_fast { "fast" } else { "eve" }
    }

    /// The type.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self.detail {
            EventDetail::Alert(_) => "alert",
            EventDetail::Flow(_) => "flow",
            EventDetail::Stats(_) => "stats",
            EventDetail::Drop(_) => "drop",
            EventDetail::Anomaly(_) => "anomaly",
            EventDetail::Dns(_) => "dns",
            EventDetail::Http(_) => "http",
            EventDetail::Tls(_) => "tls",
        }
    }

    /// The flow from its initiator, where an alert says who that is.
    #[must_use]
    pub fn initiated(&self) -> Option<Tuple> {
        let EventDetail::Alert(alert) = &self.detail else {
            return None;
        };
        let tuple = self.tuple?;
        let initiator = alert.flow.as_ref()?.src_ip;
        match initiator {
            Some(initiator) if initiator == tuple.source => Some(tuple),
            Some(initiator) if initiator == tuple.destination => Some(tuple.reversed()),
            // Suricata before 7 says no addresses, but for which side the packet was.
            Some(_) | None => match alert.direction.as_deref()? {
                "to_server" => Some(tuple),
                "to_client" => Some(tuple.reversed()),
                _ => None,
            },
        }
    }
}
