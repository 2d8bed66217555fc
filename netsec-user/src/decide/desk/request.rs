//! What is asked for at the desk, and what comes of it.

use std::net::IpAddr;
use std::time::Duration;

use netsec_common::block::{Narrowing, Prefix};
use netsec_common::packet::FlowKey;

use crate::block::BlockError;
use crate::guard::Refusal;
use crate::guard::blast::Cut;
use crate::journal::Wanted;

/// A block that somebody asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockRequest {
    /// Who asks.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// The findings that it rests on.
    pub evidence: Vec<String>,
    /// Which packets.
    pub narrowing: Narrowing,
    /// Packets a second that pass; `None` is none.
    pub packets_per_s: Option<u32>,
    /// For how long; `None` is the default.
    pub lifetime: Option<Duration>,
    /// Whether the guard's milder objections are set aside.
    pub force: bool,
    /// The time within which it has to be confirmed.
    pub confirm: Option<Duration>,
    /// Whether only to say what would be done.
    pub is_dry_run: bool,
}

/// A block, made or only considered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// The decision's number; `None` for a dry run.
    pub id: Option<u64>,
    /// The entry.
    pub wanted: Wanted,
    /// What it cuts.
    pub cut: Cut,
    /// Whether the table was seen to hold it.
    pub is_verified: bool,
}

/// Why nothing was decided.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeskError {
    /// The guard's objection.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The table's.
    #[error(transparent)]
    Table(#[from] BlockError),
    /// To be confirmed, though there is one.
    #[error(
        "{prefix} is blocked already, by decision {id}: a change of it cannot be tried for a while\n\
         try: without --confirm, which replaces it"
    )]
    Exists {
        /// What was to be blocked.
        prefix: Prefix,
        /// The decision in force.
        id: u64,
    },
    /// A dry run does not change what is enforced.
    #[error(
        "{prefix} is blocked already, by decision {id}, which was made to be enforced: what is decided \
         while nothing is dropped does not take its place\n\
         try: netsec block del {prefix} first"
    )]
    Enforced {
        /// What was to be blocked.
        prefix: Prefix,
        /// The decision in force.
        id: u64,
    },
    /// No such thing.
    #[error("{0}")]
    Unknown(String),
    /// A cap on automatic blocks.
    #[error("not blocked: {0}")]
    Capped(String),
    /// Nothing more severe is to be done than what is in force.
    #[error("{prefix} is blocked already, by decision {id}")]
    Standing {
        /// What is blocked: the source, or a network that it is in.
        prefix: Prefix,
        /// The decision in force.
        id: u64,
    },
    /// The source may be forged, and `decide.unproven_packets_per_s` is 0.
    #[error(
        "left alone: no completed TCP handshake shows that {0} is who it says it is\n\
         try: decide.unproven_packets_per_s, to slow such sources down"
    )]
    Unproven(IpAddr),
}

/// What a detector found against a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The source.
    pub source: IpAddr,
    /// The detector, for the record.
    pub detector: String,
    /// What it found, in a sentence.
    pub reason: String,
    /// Numbers of findings and alerts.
    pub ids: Vec<String>,
    /// What shows that the source is no forgery.
    pub proof: Proof,
}

/// What is to show that a source is where it says it is: anybody can put any address on a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Proof {
    /// Something trustworthy saw it: a server's own log of an authenticated attempt, say.
    Given,
    /// This TCP connection, if the source has completed its handshake. When it is no longer open, any
    /// handshake of the source.
    Connection(FlowKey),
    /// Any handshake that the source has completed.
    Handshake,
    /// Nothing: packets like these can be forged, whatever else the source did.
    None,
}

/// What became of a detector's wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruling {
    /// The block.
    pub blocked: Blocked,
    /// How often the source was blocked before.
    pub offences: u32,
    /// Whether the source has shown that it is where it says it is; others are only slowed down.
    pub is_proven: bool,
}

/// What came of a part of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// The list's decision.
    pub id: u64,
    /// Entries now in force.
    pub entries: u64,
    /// What was not put in, by its place in the part, and why.
    pub refused: Vec<(usize, String)>,
}
