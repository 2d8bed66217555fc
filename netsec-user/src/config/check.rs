//! What no single type can hold: ranges.

use netsec_common::block::Action;

use super::{Config, ConfigError};

/// Ten years, the longest a block can be told to last.
const BLOCK_SECONDS_MAX: u64 = 10 * 365 * 86_400;

impl Config {
    /// Checks every value against its range.
    ///
    /// # Errors
    ///
    /// The first value that is out of range.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.check_decide()?;
        let detect = &self.detect;
        let beacon = &detect.beacon;
        for (key, share) in [
            ("detect.flood.syn_incomplete", detect.flood.syn_incomplete),
            ("detect.flood.spoofed", detect.flood.spoofed),
            ("detect.bruteforce.spread_max", detect.bruteforce.spread_max),
            ("detect.beacon.score", beacon.score),
            ("detect.beacon.medium", beacon.medium),
            ("detect.tunnel_dns.rare_share", detect.tunnel_dns.rare_share),
            ("detect.tunnel_icmp.asymmetry", detect.tunnel_icmp.asymmetry),
        ] {
            require(
                (0.0..=1.0).contains(&share),
                key,
                share,
                "has to be from 0 to 1",
            )?;
        }
        let weights = [
            beacon.interval_weight,
            beacon.size_weight,
            beacon.duration_weight,
            beacon.histogram_weight,
        ];
        let sum: f64 = weights.iter().sum();
        let positive = weights.iter().all(|weight| *weight >= 0.0);
        require(
            positive && (sum - 1.0).abs() < 1e-6,
            "detect.beacon.interval_weight + size_weight + duration_weight + histogram_weight",
            sum,
            "have to be positive and add up to 1",
        )?;
        for (key, count) in [
            ("detect.campaigns_max", detect.campaigns_max),
            ("detect.scan.ports", detect.scan.ports),
            ("detect.scan.hosts", detect.scan.hosts),
            ("detect.scan.pings", detect.scan.pings),
            ("detect.scan.pairs_max", detect.scan.pairs_max),
            ("detect.flood.hosts_max", detect.flood.hosts_max),
            ("detect.bruteforce.pairs_max", detect.bruteforce.pairs_max),
            ("detect.beacon.pairs_max", beacon.pairs_max),
            (
                "detect.exfiltration.pairs_max",
                detect.exfiltration.pairs_max,
            ),
            (
                "detect.lateral_movement.pairs_max",
                detect.lateral_movement.pairs_max,
            ),
            ("detect.tunnel_dns.pairs_max", detect.tunnel_dns.pairs_max),
        ] {
            require(count > 0, key, count, "has to be at least 1")?;
        }
        require(
            beacon.connections >= 4,
            "detect.beacon.connections",
            beacon.connections,
            "has to be at least 4: three intervals",
        )
    }

    fn check_decide(&self) -> Result<(), ConfigError> {
        let (block, decide) = (&self.block, &self.decide);
        require(
            (1..=1 << 24).contains(&block.entries),
            "block.entries",
            block.entries,
            "has to be from 1 to 16777216",
        )?;
        require(
            !decide.escalation.is_empty(),
            "decide.escalation",
            "[]",
            "has to name at least one length of time",
        )?;
        let spans = decide
            .escalation
            .iter()
            .map(|span| ("decide.escalation", span));
        for (key, span) in spans.chain([("decide.default_for", &decide.default_for)]) {
            let seconds = span.get().as_secs();
            require(
                (1..=BLOCK_SECONDS_MAX).contains(&seconds),
                key,
                span,
                "has to be from a second to ten years",
            )?;
        }
        let packets_per_s = decide.unproven_packets_per_s;
        require(
            packets_per_s <= Action::RATE_MAX,
            "decide.unproven_packets_per_s",
            packets_per_s,
            "cannot be limited: 16777215 is the most",
        )
    }
}

fn require(
    holds: bool,
    key: &'static str,
    value: impl ToString,
    problem: &'static str,
) -> Result<(), ConfigError> {
    if holds {
        return Ok(());
    }
    Err(ConfigError::Value {
        key,
        value: value.to_string(),
        problem,
    })
}
