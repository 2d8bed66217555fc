//! `unsafe` lives in named files only, each use with its reason.

use super::Finding;
use super::source::Source;

/// The files that may hold `unsafe`.
const PLACES: [&str; 9] = [
    "bench/ebpf/src/driver.rs",
    "bench/ebpf/src/packet.rs",
    "bench/ebpf/src/peers.rs",
    "bench/src/batch.rs",
    "netsec-common/src/word.rs",
    "netsec-ebpf/src/hooks.rs",
    "netsec-ebpf/src/maps.rs",
    "netsec-ebpf/src/packet.rs",
    "netsec-user/src/source/kernel/shared.rs",
];

/// Lines before an `unsafe` among which its reason must begin.
const REASON_LINES: usize = 8;

pub(super) fn check(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources {
        let uses = uses(source);
        let is_named = PLACES.contains(&source.path.as_str());
        if is_named && uses.is_empty() {
            let what = "holds no `unsafe`: take it off the list in xtask/src/tidy/unsafety.rs";
            findings.push(Finding::new(source, 0, what));
        }
        for line in uses {
            if !is_named {
                let what = "`unsafe` outside the files listed in xtask/src/tidy/unsafety.rs";
                findings.push(Finding::new(source, line, what));
            } else if !has_reason(source, line) {
                let what = "`unsafe` without a SAFETY comment";
                findings.push(Finding::new(source, line, what));
            }
        }
    }
    findings
}

/// Lines with `unsafe`, but for attributes such as `#[unsafe(no_mangle)]`.
fn uses(source: &Source) -> Vec<usize> {
    let tokens = source.tokens();
    let next = tokens.iter().skip(1).map(|&(_, word)| word).chain([""]);
    tokens
        .iter()
        .zip(next)
        .filter(|&(&(_, word), next)| word == "unsafe" && next != "(")
        .map(|(&(line, _), _)| line)
        .collect()
}

/// Whether a block has its comment, or an unsafe function its section.
fn has_reason(source: &Source, line: usize) -> bool {
    source
        .text
        .lines()
        .take(line)
        .skip(line.saturating_sub(REASON_LINES))
        .any(|text| text.contains("// SAFETY:") || text.contains("/// # Safety"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: &str = "netsec-common/src/word.rs";

    fn findings(path: &str, text: &str) -> usize {
        check(&[Source::new(path, text.to_owned())]).len()
    }

    #[test]
    fn unsafe_elsewhere_is_found() {
        let text = "// SAFETY: fine\nunsafe { f() }";
        assert_eq!(findings("netsec-common/src/config.rs", text), 1);
        assert_eq!(findings(PLACE, text), 0);
    }

    #[test]
    fn unsafe_needs_a_reason_nearby() {
        assert_eq!(findings(PLACE, "unsafe { f() }"), 1);
        let far = format!("// SAFETY: fine\n{}unsafe {{ f() }}", "f();\n".repeat(9));
        assert_eq!(findings(PLACE, &far), 1);
        assert_eq!(
            findings(PLACE, "/// # Safety\n///\n/// Never.\nunsafe fn f() {}"),
            0
        );
    }

    #[test]
    fn words_and_attributes_are_not_uses() {
        let text = "// unsafe\n#[unsafe(no_mangle)]\nstatic A: &str = \"unsafe\";";
        assert_eq!(findings("netsec-ebpf/src/main.rs", text), 0);
    }

    #[test]
    fn a_place_without_unsafe_is_found() {
        assert_eq!(findings(PLACE, "fn f() {}"), 1);
    }
}
