//! A name's registered domain, by rule of thumb.

/// Second labels under which countries register third ones.
const SECOND: [&str; 9] = ["ac", "co", "com", "edu", "gob", "gov", "net", "or", "org"];

/// The part before the registered domain, without its last dot, and the domain; `None` for a name
/// that has no such part.
///
/// The domain is the last two labels, or three where the last but one is a country's (`co.uk`): the
/// list of public suffixes is not asked. Dots inside labels are escaped and do not count.
pub(super) fn split(name: &str) -> Option<(&str, &str)> {
    let mut dots = dots(name).into_iter().rev();
    let last = dots.next()?;
    let second = dots.next()?;
    let top = name.get(last + 1..)?;
    let middle = name.get(second + 1..last)?;
    let cut = if top.len() == 2 && SECOND.contains(&middle.to_ascii_lowercase().as_str()) {
        dots.next()?
    } else {
        second
    };
    Some((name.get(..cut)?, name.get(cut + 1..)?))
}

/// Whether a name is this domain or below it.
pub(super) fn is_under(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Places of dots that part labels.
fn dots(name: &str) -> Vec<usize> {
    let mut escaped = false;
    let is_dot = |(_, byte): &(usize, u8)| {
        let dot = *byte == b'.' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        dot
    };
    name.bytes()
        .enumerate()
        .filter(is_dot)
        .map(|(at, _)| at)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_domain_is_two_labels_or_three() {
        assert_eq!(split("a.b.example.com"), Some(("a.b", "example.com")));
        assert_eq!(split("www.example.co.uk"), Some(("www", "example.co.uk")));
        assert_eq!(
            split("l.7.ns.ostrykebs.pl"),
            Some(("l.7.ns", "ostrykebs.pl"))
        );
        assert_eq!(split(r"a\.b.pirate.sea"), Some((r"a\.b", "pirate.sea")));
        for whole in ["example.com", "example.co.uk", "localhost", "."] {
            assert_eq!(split(whole), None, "{whole}");
        }
    }

    #[test]
    fn a_domain_is_under_itself() {
        assert!(is_under("8.8.in-addr.arpa", "in-addr.arpa"));
        assert!(is_under("in-addr.arpa", "in-addr.arpa"));
        assert!(!is_under("xin-addr.arpa", "in-addr.arpa"));
    }
}
