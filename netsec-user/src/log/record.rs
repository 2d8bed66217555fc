//! A record of any log.

use std::borrow::Cow;

use super::Tuple;
use super::eve::Event;
use super::zeek::Zeek;
use crate::time::WallTime;

/// One record of any log.
#[derive(Debug)]
pub enum Record<'a> {
    /// Of Suricata, or of netsec itself.
    Event(Box<Event<'a>>),
    /// Of Zeek.
    Zeek(Box<Zeek<'a>>),
}

impl Record<'_> {
    /// When it happened.
    #[must_use]
    pub fn time(&self) -> WallTime {
        match self {
            Self::Event(event) => event.time,
            Self::Zeek(zeek) => zeek.time,
        }
    }

    /// Who it is about: for Suricata's alerts the initiator of the flow first, where the line says
    /// it, else the sender of the packet.
    #[must_use]
    pub fn tuple(&self) -> Option<Tuple> {
        match self {
            Self::Event(event) => event.initiated().or(event.tuple),
            Self::Zeek(zeek) => zeek.tuple,
        }
    }

    /// The Community ID that the line states.
    #[must_use]
    pub fn community_id(&self) -> Option<&str> {
        match self {
            Self::Event(event) => event.community_id.as_deref(),
            Self::Zeek(zeek) => zeek.community_id.as_deref(),
        }
    }

    /// Where it comes from, and what it is: `("eve", "alert")`, `("zeek", "conn")`.
    #[must_use]
    pub fn kind(&self) -> (&'static str, Cow<'_, str>) {
        match self {
            Self::Event(event) => (event.family(), Cow::Borrowed(event.kind())),
            Self::Zeek(zeek) => ("zeek", zeek.path()),
        }
    }
}
