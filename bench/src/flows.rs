//! Which flow each packet of a run belongs to.

use std::fmt;

use anyhow::{Result, bail};

/// Most entries of the driver's table, and most flows.
pub(crate) const TABLE_MAX: u32 = 1 << 20;

/// Entries for each flow of a small table: every flow comes up, none in a pattern.
const ENTRIES_PER_FLOW: u32 = 4;

/// How packets are shared out over flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flows {
    /// Each packet is of any of so many flows, all alike.
    Uniform(u32),
    /// The n-th flow has 1/n of the packets of the first one.
    Zipf(u32),
    /// One packet of each of so many flows in turn, from this one on.
    InTurn(u32, u32),
    /// Every packet is a new flow.
    New,
}

impl Flows {
    /// The driver's table: a power of two of entries; empty when every packet is a new flow.
    pub(crate) fn table(self) -> Vec<u64> {
        let mut random = Random(0x5eed);
        match self {
            Self::Uniform(flows) => (0..entries(flows))
                .map(|_| flow(random.below(flows)))
                .collect(),
            Self::Zipf(flows) => {
                let shares = shares(flows);
                let draw = |share| shares.partition_point(|upto| *upto <= share);
                (0..entries(flows))
                    .map(|_| flow(u32::try_from(draw(random.share())).unwrap_or_default()))
                    .collect()
            }
            Self::InTurn(flows, first) => (first..first + flows).map(flow).collect(),
            Self::New => Vec::new(),
        }
    }

    /// Reads a name such as `1`, `64k-zipf` or `new`.
    pub(crate) fn parse(name: &str) -> Result<Self> {
        let (count, shape) = name.split_once('-').unwrap_or((name, "uniform"));
        let flows = match count {
            "1" => 1,
            "1k" => 1 << 10,
            "64k" => 1 << 16,
            "1m" => 1 << 20,
            "new" => return Ok(Self::New),
            _ => bail!("{name}: flows are 1, 1k, 64k or 1m, uniform or with -zipf; or new"),
        };
        match shape {
            "uniform" => Ok(Self::Uniform(flows)),
            "zipf" => Ok(Self::Zipf(flows)),
            _ => bail!("{name}: the shape is uniform or zipf"),
        }
    }
}

impl fmt::Display for Flows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uniform(1) => write!(f, "1 flow"),
            Self::Uniform(flows) => write!(f, "{flows} flows, uniform"),
            Self::Zipf(flows) => write!(f, "{flows} flows, Zipf"),
            Self::InTurn(flows, _) => write!(f, "{flows} flows in turn"),
            Self::New => write!(f, "every packet a new flow"),
        }
    }
}

fn entries(flows: u32) -> u32 {
    (flows * ENTRIES_PER_FLOW).clamp(64, TABLE_MAX)
}

/// A flow as it stands in the packet: source address in the low half, ports in the high one. As the
/// driver makes them, so that flows of different numbers differ.
fn flow(number: u32) -> u64 {
    u64::from(number.wrapping_mul(0x9e37_79b1)) | 0x0104 << 48
}

/// The share of all packets that the flows up to each one have together.
fn shares(flows: u32) -> Vec<f64> {
    let total: f64 = (1..=flows).map(|rank| 1.0 / f64::from(rank)).sum();
    let mut upto = 0.0;
    (1..=flows)
        .map(|rank| {
            upto += 1.0 / f64::from(rank) / total;
            upto
        })
        .collect()
}

/// SplitMix64 (Steele, Lea and Flood, 2014): the same numbers each time.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn half(&mut self) -> u32 {
        u32::try_from(self.next() >> 32).unwrap_or_default()
    }

    /// A number from 0 up to `limit`.
    pub(crate) fn below(&mut self, limit: u32) -> u32 {
        let scaled = (u64::from(self.half()) * u64::from(limit)) >> 32;
        u32::try_from(scaled).unwrap_or_default()
    }

    /// A number from 0 up to 1.
    fn share(&mut self) -> f64 {
        f64::from(self.half()) / f64::from(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn counts(flows: Flows) -> Vec<u32> {
        let mut counts = HashMap::<u64, u32>::new();
        for flow in flows.table() {
            *counts.entry(flow).or_default() += 1;
        }
        let mut counts: Vec<_> = counts.into_values().collect();
        counts.sort_unstable_by(|a, b| b.cmp(a));
        counts
    }

    #[test]
    fn tables_hold_the_flows_they_are_for() {
        assert_eq!(counts(Flows::Uniform(1)), [64]);
        assert_eq!(counts(Flows::InTurn(1 << 16, 7)), [1; 1 << 16]);
        let uniform = counts(Flows::Uniform(1 << 10));
        assert!(uniform.len() > 1000 && uniform[0] < 20, "{uniform:?}");
    }

    /// H(2²⁰) is 14.44: the first flow has one packet in 14.44, the second half as many.
    #[test]
    fn zipf_shares_fall_with_the_rank() {
        let zipf = counts(Flows::Zipf(1 << 20));
        assert!((71_600..73_600).contains(&zipf[0]), "{}", zipf[0]);
        assert!((35_300..37_300).contains(&zipf[1]), "{}", zipf[1]);
        assert!(zipf.len() > 100_000);
    }

    #[test]
    fn names_are_read() {
        for (name, flows) in [
            ("1", Flows::Uniform(1)),
            ("64k", Flows::Uniform(1 << 16)),
            ("1m-zipf", Flows::Zipf(1 << 20)),
            ("new", Flows::New),
        ] {
            assert_eq!(Flows::parse(name).unwrap(), flows);
        }
        for wrong in ["", "2", "1k-", "1k-normal"] {
            assert!(Flows::parse(wrong).is_err(), "{wrong}");
        }
    }
}
