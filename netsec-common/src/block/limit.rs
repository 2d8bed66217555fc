//! Rate limits: a token bucket without a lock.
//!
//! The generic cell rate algorithm (ITU-T I.371) in whole numbers: a tick earns `rate` credits, a
//! packet costs as many credits as there are ticks in a second, so that `rate` packets a second come
//! out even. The one word of state says up to when, in credits, packets have been let through. It is
//! read and then added to; CPUs that do so at one time may let through one packet each.

use super::memory::Aside;

/// Packets by which several CPUs may overrun a limit. What is further ahead than that was not
/// counted up to there: the clock was silent for so long that it wrapped.
const OVERRUN_PACKETS: u64 = 4096;

/// Whether a packet at `now` is within `rate` packets a second, one second's worth at once.
#[inline(always)]
pub(super) fn admits(aside: &Aside, ticks_per_s: u64, now: u64) -> bool {
    let rate = aside.rate.load();
    if rate == 0 {
        return false;
    }
    let now_credits = now.wrapping_mul(rate);
    let ahead = aside.ahead.load().wrapping_sub(now_credits);
    let second = rate.wrapping_mul(ticks_per_s);
    let overrun = ticks_per_s.wrapping_mul(OVERRUN_PACKETS);
    if ahead > second.wrapping_add(overrun) {
        // Behind, as a negative number: all credits are there.
        aside.ahead.store(now_credits.wrapping_add(ticks_per_s));
        return true;
    }
    if ahead.wrapping_add(ticks_per_s) > second {
        return false;
    }
    aside.ahead.add(ticks_per_s);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(rate: u32) -> Aside {
        let aside = Aside::default();
        aside.rate.store(rate.into());
        aside
    }

    /// Packets let through of `offered` a tick, in `ticks` ticks from `start` on.
    fn admitted(aside: &Aside, hz: u64, start: u64, ticks: u64, offered: u64) -> u64 {
        (start..start + ticks)
            .map(|now| (0..offered).filter(|_| admits(aside, hz, now)).count() as u64)
            .sum()
    }

    #[test]
    fn a_second_holds_its_rate_and_the_first_one_twice() {
        for (rate, hz) in [
            (1, 250),
            (3, 100),
            (7, 1000),
            (250, 250),
            (1000, 250),
            (999, 1000),
        ] {
            let aside = limit(rate);
            let rate = u64::from(rate);
            let start = 0xffff_fb6c;
            let first = admitted(&aside, hz, start, hz, rate + 5);
            assert!(
                (2 * rate - rate.div_ceil(hz)..=2 * rate).contains(&first),
                "{rate}: {first}"
            );
            for second in 1..5 {
                let next = admitted(&aside, hz, start + second * hz, hz, rate + 5);
                assert!((rate - 1..=rate + 1).contains(&next), "{rate}: {next}");
            }
            let ten = admitted(&aside, hz, start + 5 * hz, 10 * hz, rate + 5);
            assert!(
                (10 * rate - 1..=10 * rate + 1).contains(&ten),
                "{rate}: {ten}"
            );
        }
    }

    #[test]
    fn silence_earns_one_second_and_no_more() {
        for silence in [1_000, 86_400_000, 1 << 40] {
            let aside = limit(10);
            assert_eq!(admitted(&aside, 1_000, 5_000, 1, 100), 10);
            assert_eq!(admitted(&aside, 1_000, 5_001 + silence, 1, 100), 10);
            assert_eq!(admitted(&aside, 1_000, 5_002 + silence, 1, 100), 0);
        }
    }

    #[test]
    fn a_rate_of_zero_lets_nothing_through() {
        assert_eq!(admitted(&limit(0), 250, 1, 1_000, 3), 0);
    }

    #[test]
    fn replay_ticks_do_not_overflow() {
        let aside = limit(super::super::Action::RATE_MAX);
        let now = 1_795_000_000_000_000;
        assert_eq!(
            admitted(&aside, 1_000_000, now, 2, 20_000_000),
            u64::from(super::super::Action::RATE_MAX) + 16
        );
    }
}
