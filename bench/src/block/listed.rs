//! What is on the block list, and sources that are on it or not.

use std::collections::HashSet;
use std::fmt;
use std::net::Ipv4Addr;

use anyhow::{Result, bail};
use netsec_common::block::{Prefix, guarded_overlap};

use crate::flows::Random;

/// Sources of a stream.
const SOURCES: usize = 1 << 16;

/// How many entries, and of which kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    entries: usize,
    mixed: bool,
}

impl Kind {
    pub(super) const NONE: Self = Self {
        entries: 0,
        mixed: false,
    };

    /// Reads a name such as `1k` or `1m-mixed`.
    pub(super) fn parse(name: &str) -> Result<Self> {
        let (count, mixed) = match name.strip_suffix("-mixed") {
            Some(count) => (count, true),
            None => (name, false),
        };
        let entries = match count {
            "0" => 0,
            "4" => 4,
            "1k" => 1_000,
            "100k" => 100_000,
            "1m" => 1_000_000,
            _ => bail!("{name}: lists are 0, 4, 1k, 100k or 1m, or with -mixed"),
        };
        Ok(Self { entries, mixed })
    }

    /// Whether there are hosts only.
    pub(super) const fn is_hosts(self) -> bool {
        !self.mixed
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.mixed {
            "hosts and prefixes"
        } else {
            "hosts"
        };
        write!(f, "{} {what}", self.entries)
    }
}

/// A block list of random entries.
pub(super) struct Listed {
    pub(super) kind: Kind,
    /// Its entries.
    pub(super) prefixes: Vec<Prefix>,
    /// Address as a number, and length.
    known: HashSet<(u32, u8)>,
    firsts: Vec<u32>,
}

impl Listed {
    pub(super) fn new(kind: Kind) -> Self {
        let mut random = Random(0xb10c_0000);
        let mut listed = Self {
            kind,
            prefixes: Vec::with_capacity(kind.entries),
            known: HashSet::with_capacity(kind.entries),
            firsts: Vec::with_capacity(kind.entries),
        };
        while listed.prefixes.len() < kind.entries {
            let length = listed.length(&mut random);
            let first = random.below(u32::MAX) >> (32 - length) << (32 - length);
            let prefix = Prefix::new(Ipv4Addr::from_bits(first).into(), length);
            let Some(prefix) = prefix.filter(|prefix| guarded_overlap(*prefix).is_none()) else {
                continue;
            };
            if listed.known.insert((first, length)) {
                listed.prefixes.push(prefix);
                listed.firsts.push(first);
            }
        }
        listed
    }

    /// Three of four entries of a mixed list are hosts, the others a /24 to a /31.
    fn length(&self, random: &mut Random) -> u8 {
        if self.kind.mixed && self.prefixes.len().is_multiple_of(4) {
            u8::try_from(24 + random.below(8)).unwrap_or(32)
        } else {
            32
        }
    }

    /// All addresses, as they stand in the packet.
    pub(super) fn hosts(&self) -> Vec<u32> {
        self.firsts.iter().map(|first| first.to_be()).collect()
    }

    /// Flows from sources on the list.
    pub(super) fn dropped(&self) -> Vec<u64> {
        let mut random = Random(0xd00d);
        let entries = u32::try_from(self.firsts.len()).unwrap_or(u32::MAX);
        (0..SOURCES)
            .filter_map(|_| self.firsts.get(random.below(entries) as usize))
            .map(|first| flow(*first))
            .collect()
    }

    /// Flows from random sources that are not.
    pub(super) fn passing(&self) -> Vec<u64> {
        let mut random = Random(0x9a55);
        let mut sources = Vec::with_capacity(SOURCES);
        while sources.len() < SOURCES {
            let address = random.below(u32::MAX);
            let holds = |length: u8| {
                let first = address >> (32 - length) << (32 - length);
                self.known.contains(&(first, length))
            };
            if !(24..=32).any(holds) {
                sources.push(flow(address));
            }
        }
        sources
    }
}

/// A flow as the driver's table has it.
fn flow(source: u32) -> u64 {
    u64::from(source.to_be()) | 0x0104 << 48
}
