//! `conn.log`: one row a connection, written at its end.

use std::borrow::Cow;

use super::super::decode::Malformed;
use super::field::Field;
use super::row::Row;

/// What a row of `conn.log` says beside its ends. Counts are missing where Zeek saw nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conn<'a> {
    /// Application protocol that Zeek recognised.
    pub service: Option<Cow<'a, str>>,
    /// From first to last packet, nanoseconds.
    pub duration_ns: Option<i64>,
    /// Payload of the originator by sequence numbers, which can be far from what was sent.
    pub orig_bytes: Option<u64>,
    /// Payload of the responder.
    pub resp_bytes: Option<u64>,
    /// How it went.
    pub state: Option<ConnState>,
    /// Whether the originator is in the site's networks.
    pub local_orig: Option<bool>,
    /// Whether the responder is in the site's networks.
    pub local_resp: Option<bool>,
    /// Payload that Zeek did not get to see.
    pub missed_bytes: Option<u64>,
    /// Flags and data in order, a letter each; capitals are the originator's.
    pub history: Option<Cow<'a, str>>,
    /// Packets of the originator.
    pub orig_pkts: Option<u64>,
    /// Bytes of the originator's IP packets.
    pub orig_ip_bytes: Option<u64>,
    /// Packets of the responder.
    pub resp_pkts: Option<u64>,
    /// Bytes of the responder's IP packets.
    pub resp_ip_bytes: Option<u64>,
}

impl<'a> Conn<'a> {
    pub(super) fn of(row: &Row<'a>) -> Result<Self, Malformed> {
        let state = match row.with_bytes(Field::ConnState, ConnState::of) {
            None => None,
            Some(Some(state)) => Some(state),
            Some(None) => {
                let name = row.text(Field::ConnState).unwrap_or_default();
                let field = Field::ConnState.name();
                return Err(Malformed::field(field, "a connection state", &name));
            }
        };
        Ok(Self {
            service: row.text(Field::Service),
            duration_ns: row.interval_ns(Field::Duration)?,
            orig_bytes: row.count(Field::OrigBytes)?,
            resp_bytes: row.count(Field::RespBytes)?,
            state,
            local_orig: row.flag(Field::LocalOrig)?,
            local_resp: row.flag(Field::LocalResp)?,
            missed_bytes: row.count(Field::MissedBytes)?,
            history: row.text(Field::History),
            orig_pkts: row.count(Field::OrigPkts)?,
            orig_ip_bytes: row.count(Field::OrigIpBytes)?,
            resp_pkts: row.count(Field::RespPkts)?,
            resp_ip_bytes: row.count(Field::RespIpBytes)?,
        })
    }
}

/// Zeek's summary of a connection (`base/protocols/conn/main.zeek`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConnState {
    /// Attempt seen, no reply.
    S0,
    /// Established, not terminated.
    S1,
    /// Established and ended in order.
    Sf,
    /// Attempt refused.
    Rej,
    /// Established, originator closed, no reply to that.
    S2,
    /// Established, responder closed, no reply to that.
    S3,
    /// Established, originator aborted.
    Rsto,
    /// Responder aborted.
    Rstr,
    /// The originator's SYN and RST, no SYN-ACK.
    Rstos0,
    /// The responder's SYN-ACK and RST, no SYN seen.
    Rstrh,
    /// The originator's SYN and FIN, no SYN-ACK: half open.
    Sh,
    /// The responder's SYN-ACK and FIN, no SYN seen.
    Shr,
    /// No SYN seen, midstream traffic.
    Oth,
}

impl ConnState {
    const NAMES: [(&'static str, Self); 13] = [
        ("S0", Self::S0),
        ("S1", Self::S1),
        ("SF", Self::Sf),
        ("REJ", Self::Rej),
        ("S2", Self::S2),
        ("S3", Self::S3),
        ("RSTO", Self::Rsto),
        ("RSTR", Self::Rstr),
        ("RSTOS0", Self::Rstos0),
        ("RSTRH", Self::Rstrh),
        ("SH", Self::Sh),
        ("SHR", Self::Shr),
        ("OTH", Self::Oth),
    ];

    fn of(name: &[u8]) -> Option<Self> {
        let mut names = Self::NAMES.iter();
        let found = names.find(|(known, _)| known.as_bytes() == name);
        found.map(|(_, state)| *state)
    }

    /// Zeek's word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        let found = Self::NAMES.iter().find(|(_, state)| *state == self);
        found.map_or("", |(name, _)| name)
    }
}
