//! No tracked file names a folder of somebody's machine or the server of a package registry.

use super::Finding;
use super::source::Source;

/// Written in parts, so that this file does not find itself.
const PLACES: [&str; 9] = [
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/wo", "rk/"),
    concat!("/Us", "ers/"),
    concat!("static.", "crates.io"),
    concat!("index.", "crates.io"),
    concat!("static.", "rust-lang.org"),
    concat!("deb.", "debian.org"),
    concat!("archive.", "ubuntu.com"),
];

pub(super) fn check(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources {
        for (index, line) in source.text.lines().enumerate() {
            if let Some(place) = PLACES.iter().find(|&&place| line.contains(place)) {
                let what = format!("names `{place}`, which is of one machine or registry");
                findings.push(Finding::new(source, index + 1, what));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_in_any_file() {
        for place in PLACES {
            let text = format!("a\nsee {place}x\n");
            let [finding] = <[_; 1]>::try_from(check(&[Source::new("a.md", text)])).unwrap();
            assert_eq!(finding.line, 2);
        }
        let fine = "https://crates.io /usr/lib /sys/fs/bpf target/netsec.bpf.o";
        assert_eq!(check(&[Source::new("a.md", fine.to_owned())]), []);
    }
}
