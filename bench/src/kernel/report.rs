//! What came out, and whether it is good enough.

use super::KernelArgs;
use crate::flows::Flows;
use crate::statistics::Spread;

/// What is subtracted.
pub(super) const EMPTY: &str = "empty";
/// Parse, clock, hash lookup, LRU hash.
pub(super) const GOOD: &str = "good";
/// Parse, clock, LPM trie lookup, LRU hash.
pub(super) const OBVIOUS: &str = "obvious";
/// What the targets are about.
const NETSEC: &str = "netsec";

/// Nanoseconds a packet of each program, round by round.
pub(super) struct Rounds {
    names: Vec<String>,
    rounds: Vec<Vec<f64>>,
}

impl Rounds {
    pub(super) const fn new(names: Vec<String>) -> Self {
        Self {
            names,
            rounds: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, times: Vec<f64>) {
        self.rounds.push(times);
    }

    /// A program's time above that of the empty one.
    fn above_empty(&self, name: &str) -> Option<Spread> {
        let times: Vec<_> = self.net(name)?.collect();
        Some(Spread::of(times))
    }

    /// Both above the empty one, within each round.
    fn ratio(&self, name: &str, to: &str) -> Option<Spread> {
        let pairs = self.net(name)?.zip(self.net(to)?);
        Some(Spread::of(pairs.map(|(one, other)| one / other)))
    }

    fn net(&self, name: &str) -> Option<impl Iterator<Item = f64>> {
        let (own, empty) = (self.place(name)?, self.place(EMPTY)?);
        let time = |round: &[f64], place: usize| round.get(place).copied().unwrap_or(f64::NAN);
        Some(
            self.rounds
                .iter()
                .map(move |round| time(round, own) - time(round, empty)),
        )
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| known == name)
    }
}

/// One table, with the targets below.
pub(super) fn table(flows: Flows, args: &KernelArgs, rounds: &Rounds) -> String {
    let mut text = format!(
        "\n### {flows}\n\n{} rounds, {} addresses on the peers' block lists\n\n\
         | program | ns above empty | ratio to good | ratio to obvious |\n|---|---|---|---|\n",
        rounds.rounds.len(),
        args.blocked,
    );
    for name in &rounds.names {
        let cell =
            |spread: Option<Spread>| spread.map_or_else(|| "–".to_owned(), |s| s.to_string());
        let above = rounds
            .above_empty(name)
            .map_or_else(String::new, |spread| format!("{spread:.1}"));
        let (good, obvious) = (rounds.ratio(name, GOOD), rounds.ratio(name, OBVIOUS));
        text.push_str(&format!(
            "| {name} | {above} | {} | {} |\n",
            cell(good),
            cell(obvious)
        ));
    }
    for target in targets(flows) {
        if let Some(line) = target.judge(rounds) {
            text.push_str(&line);
        }
    }
    text
}

/// What netsec may cost.
enum Target {
    Above(f64),
    ToGood(f64),
}

const fn targets(flows: Flows) -> &'static [Target] {
    match flows {
        Flows::Uniform(1 | 1024) => &[Target::Above(10.0)],
        Flows::Uniform(1_048_576) => &[Target::ToGood(0.45)],
        Flows::Zipf(1_048_576) => &[Target::ToGood(0.25)],
        Flows::New => &[Target::ToGood(0.4)],
        Flows::Uniform(_) | Flows::Zipf(_) | Flows::InTurn(..) => &[],
    }
}

impl Target {
    fn judge(&self, rounds: &Rounds) -> Option<String> {
        let (what, found, limit) = match self {
            Self::Above(limit) => ("ns above empty", rounds.above_empty(NETSEC)?, limit),
            Self::ToGood(limit) => ("ratio to good", rounds.ratio(NETSEC, GOOD)?, limit),
        };
        let verdict = if found.median <= *limit {
            "met"
        } else {
            "missed"
        };
        Some(format!("\ntarget: {what} at most {limit}: {verdict}\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_taken_round_by_round() {
        let names = [EMPTY, NETSEC, GOOD].map(str::to_owned).to_vec();
        let mut rounds = Rounds::new(names);
        for (empty, netsec, good) in [(10.0, 20.0, 50.0), (20.0, 40.0, 100.0), (5.0, 10.0, 25.0)] {
            rounds.push(vec![empty, netsec, good]);
        }
        let spread = rounds.ratio(NETSEC, GOOD).unwrap();
        assert!((spread.median - 0.25).abs() < 1e-9);
        assert!(rounds.ratio(NETSEC, OBVIOUS).is_none());
        let judged = Target::ToGood(0.25).judge(&rounds).unwrap();
        assert!(judged.contains("met"), "{judged}");
        let judged = Target::Above(9.0).judge(&rounds).unwrap();
        assert!(judged.contains("missed"), "{judged}");
    }
}
