//! What became of a reason to block somebody, for those who read the output.

use std::fmt;

use netsec_common::block::Action;

use super::desk::{DeskError, Evidence, Ruling};
use crate::time::WallTime;

/// What became of a reason to block somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// When, in traffic time.
    pub time: WallTime,
    /// Whether packets are dropped for it; in a dry run and in a replay nothing is.
    pub is_real: bool,
    /// The reason.
    pub evidence: Evidence,
    /// What was done, or why nothing.
    pub outcome: Result<Ruling, DeskError>,
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Deed {
    /// The source's packets are dropped.
    Block,
    /// A few of the source's packets pass.
    Limit,
    /// Nothing.
    Spare,
}

impl Deed {
    /// `block`, `limit`, `spare`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Limit => "limit",
            Self::Spare => "spare",
        }
    }
}

impl Decided {
    /// What was done, or would be.
    #[must_use]
    pub fn deed(&self) -> Deed {
        match &self.outcome {
            Err(_) => Deed::Spare,
            Ok(ruling) => match ruling.blocked.wanted.block.action {
                Action::Drop => Deed::Block,
                Action::RateLimit { .. } => Deed::Limit,
            },
        }
    }
}

impl fmt::Display for Decided {
    /// `blocked 192.0.2.1 until 2026-11-23T01:41:02.114000Z (offence 1) because scan.vertical ...`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = self.evidence.source;
        let (detector, reason) = (&self.evidence.detector, &self.evidence.reason);
        let ruling = match &self.outcome {
            Ok(ruling) => ruling,
            Err(error) => {
                let error = error.to_string();
                let why = error.lines().next().unwrap_or_default();
                return write!(
                    f,
                    "did nothing about {source} ({detector}: {reason}): {why}"
                );
            }
        };
        let wanted = &ruling.blocked.wanted;
        match (wanted.block.action, self.is_real) {
            (Action::Drop, true) => write!(f, "blocked {source}")?,
            (Action::Drop, false) => write!(f, "would block {source}")?,
            (Action::RateLimit { packets_per_s }, is_real) => {
                let verb = if is_real {
                    "slowed down"
                } else {
                    "would slow down"
                };
                write!(f, "{verb} {source} to {packets_per_s} packets/s")?;
            }
        }
        if let Some(until) = wanted.block.until {
            write!(f, " until {until}")?;
        }
        write!(f, " (offence {})", ruling.offences + 1)?;
        write!(f, " because {detector}: {reason}")?;
        if !ruling.is_proven {
            f.write_str("; no completed handshake, so its address may be forged")?;
        }
        let cuts = if self.is_real { "cuts" } else { "would cut" };
        write!(f, "; {cuts}: {}", ruling.blocked.cut)?;
        match (self.is_real, ruling.blocked.id) {
            (true, Some(_)) => write!(f, "; undo: netsec block del {source}"),
            _ => Ok(()),
        }
    }
}
