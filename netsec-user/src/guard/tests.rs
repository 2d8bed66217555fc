use super::*;

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

/// A host at 10.2.0.9 and 2001:db8:2::9, reached by SSH from 10.2.0.4 and from 203.0.113.50.
fn guard() -> Guard {
    let addresses = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
    let facts = Facts {
        own: addresses(&[
            "127.0.0.1",
            "10.2.0.9",
            "2001:db8:2::9",
            "fe80::9",
            "198.51.100.9",
        ]),
        broadcast: addresses(&["10.2.0.255", "198.51.100.255"]),
        gateways: addresses(&["10.2.0.1", "198.51.101.1", "2001:db8:3::1"]),
        dns: addresses(&["192.0.2.53", "2001:db8:53::53"]),
        ssh_peers: addresses(&["10.2.0.4", "203.0.113.50", "2001:db8:4::4"]),
    };
    Guard::new(
        &facts,
        ["192.0.2.128/25", "2001:db8:a::/48", "100.64.0.7"].map(prefix),
    )
}

/// Attempts to lock oneself out, and whether force gets the rest of the prefix blocked. The command is
/// tried with the same.
fn attempts() -> Vec<(&'static str, bool)> {
    let lines = include_str!("attempts.txt").lines();
    let attempts = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let attempts = attempts.map(|line| match line.strip_suffix(" yields") {
        Some(text) => (text, true),
        None => (line, false),
    });
    attempts.collect()
}

#[test]
fn no_attempt_to_lock_oneself_out_is_accepted() {
    let guard = guard();
    assert!(attempts().len() >= 66);
    for (text, yields) in attempts() {
        let refusal = guard.check(prefix(text), false).expect_err(text);
        assert_eq!(refusal.is_final, !yields, "{text}: {refusal}");
        assert_eq!(guard.check(prefix(text), true).is_ok(), yields, "{text}");
    }
}

/// What force lets through still does not reach what is protected: the kernel asks the allowlist first.
#[test]
fn what_is_protected_passes_even_within_a_forced_block() {
    let guard = guard();
    let protected: Vec<_> = guard.protected().collect();
    for (text, _) in attempts() {
        let forced = prefix(text);
        let covered = guard.set.overlapping(forced);
        let by_hand: Vec<_> = protected
            .iter()
            .filter(|(protected, _)| protected.overlaps(forced))
            .collect();
        assert_eq!(covered.len(), by_hand.len(), "{text}");
        for covered in covered {
            assert!(protected.contains(&(covered.prefix, covered.why)), "{text}");
            assert!(guard.passes(covered.prefix.address()), "{text}");
        }
    }
}

#[test]
fn everybody_else_may_be_blocked() {
    let guard = guard();
    for text in [
        "198.51.100.7",
        "10.3.0.0/16",
        "203.0.113.51",
        "203.0.113.0/27",
        "2001:db8:1::/64",
        "2001:db8:b::/48",
        "100.64.0.8",
        "11.0.0.0/8",
        "2a00::/32",
        "::2",
        "192.0.2.127",
        "10.2.0.10",
        "10.2.0.5",
        "223.255.255.255",
        "::ffff:11.0.0.0/104",
    ] {
        assert_eq!(guard.check(prefix(text), false), Ok(()), "{text}");
    }
    for wide in ["12.0.0.0/7", "2a00::/31"] {
        assert!(guard.check(prefix(wide), false).is_err(), "{wide}");
        assert_eq!(guard.check(prefix(wide), true), Ok(()), "{wide}");
    }
}

#[test]
fn a_refusal_says_what_is_in_the_way() {
    let guard = guard();
    let said = |text| guard.check(prefix(text), false).unwrap_err().to_string();
    assert_eq!(
        said("10.0.0.0/8"),
        "refused: 10.0.0.0/8 covers your SSH client 10.2.0.4, this host's address 10.2.0.9, the \
         default gateway 10.2.0.1 and the broadcast address 10.2.0.255. --force does not change that: \
         block the parts around it"
    );
    assert_eq!(
        said("203.0.113.0/24"),
        "refused: 203.0.113.0/24 covers your SSH client 203.0.113.50. Use --force to block the rest: \
         what is named here passes all the same"
    );
    assert_eq!(
        said("192.0.2.200"),
        "refused: 192.0.2.200 lies in the allowlist's 192.0.2.128/25, which always passes; to change \
         that: netsec allow del 192.0.2.128/25"
    );
    assert_eq!(
        said("10.2.0.1"),
        "refused: 10.2.0.1 is the default gateway 10.2.0.1, which always passes"
    );
    assert_eq!(
        said("12.0.0.0/7"),
        "refused: 12.0.0.0/7 is wider than /8. Use --force to do it anyway"
    );
}

proptest::proptest! {
    /// The quick answer and the long one agree with asking every entry.
    #[test]
    fn the_sorted_set_finds_what_a_walk_finds(
        entries in proptest::collection::vec((0_u32..64, 20_u8..33), 0..40),
        asked in (0_u32..64, 20_u8..33),
    ) {
        let prefix = |(number, length): (u32, u8)| {
            Prefix::new(Ipv4Addr::from_bits(number << 4).into(), length).unwrap()
        };
        let entries: Vec<_> = entries.into_iter().map(|e| (prefix(e), Protected::Allowed)).collect();
        let set = Set::new(entries.clone());
        let asked = prefix(asked);
        let mut wanted: Vec<_> = entries.iter().map(|e| e.0).filter(|e| e.overlaps(asked)).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let found: Vec<_> = set.overlapping(asked).iter().map(|c| c.prefix).collect();
        proptest::prop_assert_eq!(set.may_overlap(asked), !wanted.is_empty());
        proptest::prop_assert_eq!(found, wanted);
    }
}
