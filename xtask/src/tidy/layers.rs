//! Who may name whom.

use std::iter::{Copied, Peekable};
use std::slice::Iter;

use super::Finding;
use super::source::Source;

const ENGINE: &str = "netsec-common/src";
const SENSOR: &str = "netsec-user/src";

/// Crates that neither the engine nor the pipeline may name: what they do must work on captures,
/// without a kernel and without a runtime.
const KERNEL_CRATES: [&str; 6] = [
    "aya",
    "aya_ebpf",
    "aya_log",
    "aya_log_ebpf",
    "aya_obj",
    "tokio",
];

/// Where the sensor may name them: the kernel source, and the loops around everything.
const KERNEL_PLACES: [&str; 6] = [
    "source/kernel.rs",
    "source/kernel/",
    "live.rs",
    "live/",
    "api/server.rs",
    "bin/",
];

/// A file's words, each with its line.
type Tokens<'t, 'a> = Peekable<Copied<Iter<'t, (usize, &'a str)>>>;

/// `netsec-common` and the pipeline name neither aya nor tokio.
pub(super) fn names(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources {
        let in_pipeline = source
            .within(SENSOR)
            .is_some_and(|path| !KERNEL_PLACES.iter().any(|place| path.starts_with(place)));
        if !in_pipeline && source.within(ENGINE).is_none() {
            continue;
        }
        for (line, word) in source.tokens() {
            if KERNEL_CRATES.contains(&word) {
                findings.push(Finding::new(
                    source,
                    line,
                    format!("`{word}` is for the kernel source and the command only"),
                ));
            }
        }
    }
    findings
}

/// No stage of the sensor names a later one, in the order that `lib.rs` gives.
pub(super) fn order(sources: &[Source]) -> Vec<Finding> {
    let Some(library) = sources.iter().find(|s| s.within(SENSOR) == Some("lib.rs")) else {
        return Vec::new();
    };
    let stages = stages(&library.text);
    let mut findings: Vec<_> = modules(library)
        .into_iter()
        .filter(|(_, module)| !stages.contains(module))
        .map(|(line, module)| {
            let what = format!("module `{module}` is missing from the numbered list of this file");
            Finding::new(library, line, what)
        })
        .collect();
    for source in sources {
        let Some(path) = source.within(SENSOR) else {
            continue;
        };
        let module: Vec<_> = path.trim_end_matches(".rs").split('/').collect();
        let Some(own) = module.first().and_then(|m| position(&stages, m)) else {
            continue;
        };
        for (line, name) in root_names(&source.tokens(), module.len()) {
            if position(&stages, name).is_some_and(|other| other > own) {
                let what = format!("names `{name}`, a later stage (see the list in lib.rs)");
                findings.push(Finding::new(source, line, what));
            }
        }
    }
    findings
}

fn position(stages: &[&str], name: &str) -> Option<usize> {
    stages.iter().position(|&stage| stage == name)
}

/// The numbered list in the library's documentation: lines such as ``//! 3. [`event`]: …``.
fn stages(text: &str) -> Vec<&str> {
    text.lines()
        .filter_map(|line| {
            let item = line.strip_prefix("//! ")?;
            let (number, item) = item.split_once(". [`")?;
            number.parse::<u32>().ok()?;
            item.split_once('`').map(|(name, _)| name)
        })
        .collect()
}

/// The modules that a file declares.
fn modules(source: &Source) -> Vec<(usize, &str)> {
    let tokens = source.tokens();
    tokens
        .windows(3)
        .filter_map(|window| match window {
            [(_, "mod"), (line, name), (_, ";")] => Some((*line, *name)),
            _ => None,
        })
        .collect()
}

/// The names that a module reaches at the crate's root, by `crate::` or by enough `super::`.
fn root_names<'a>(tokens: &[(usize, &'a str)], depth: usize) -> Vec<(usize, &'a str)> {
    let mut names = Vec::new();
    let mut tokens = tokens.iter().copied().peekable();
    let mut braces = 0_usize;
    // Depths of braces at which a `mod name {` was opened.
    let mut inline = Vec::new();
    while let Some((_, word)) = tokens.next() {
        match word {
            "mod" => {
                tokens.next();
                if tokens.peek().is_some_and(|&(_, next)| next == "{") {
                    inline.push(braces);
                }
            }
            "{" => braces += 1,
            "}" => {
                braces = braces.saturating_sub(1);
                if inline.last() == Some(&braces) {
                    inline.pop();
                }
            }
            "crate" if next_is(&mut tokens, "::") => group(&mut tokens, &mut names),
            "super" => {
                let mut climbed = 1;
                while next_is(&mut tokens, "::") {
                    if !next_is(&mut tokens, "super") {
                        if climbed == depth + inline.len() {
                            group(&mut tokens, &mut names);
                        }
                        break;
                    }
                    climbed += 1;
                }
            }
            _ => {}
        }
    }
    names
}

/// Takes the next token when it is this one.
fn next_is(tokens: &mut Tokens<'_, '_>, word: &str) -> bool {
    tokens.next_if(|&(_, next)| next == word).is_some()
}

/// Takes the name, or the first names inside the braces, that follow a path's root.
fn group<'a>(tokens: &mut Tokens<'_, 'a>, names: &mut Vec<(usize, &'a str)>) {
    let Some((line, first)) = tokens.next() else {
        return;
    };
    if first != "{" {
        names.push((line, first));
        return;
    }
    let mut depth = 1_usize;
    let mut at_start = true;
    for (line, word) in tokens.by_ref() {
        match word {
            "{" => depth += 1,
            "}" if depth == 1 => return,
            "}" => depth -= 1,
            _ if depth == 1 && at_start => names.push((line, word)),
            _ => {}
        }
        at_start = depth == 1 && word == ",";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIBRARY: &str = "//! 1. [`time`]: a\n//! 2. [`event`]: b\n//! 3. [`output`]: c\npub mod time;\nmod output;\n";

    fn source(path: &str, text: &str) -> Source {
        Source::new(&format!("{SENSOR}/{path}"), text.to_owned())
    }

    fn order_of(path: &str, text: &str) -> usize {
        order(&[source("lib.rs", LIBRARY), source(path, text)]).len()
    }

    #[test]
    fn kernel_crates_stay_in_their_places() {
        for path in ["netsec-common/src/a.rs", "netsec-user/src/event.rs"] {
            for text in ["use aya::Ebpf;", "fn f() { tokio::spawn(x) }"] {
                let findings = names(&[Source::new(path, text.to_owned())]);
                assert_eq!(findings.len(), 1, "{path}: {text}");
            }
            let comment = Source::new(path, "// aya does it\nuse aya_like::x;".to_owned());
            assert_eq!(names(&[comment]), []);
        }
        for path in [
            "netsec-user/src/source/kernel/load.rs",
            "netsec-ebpf/src/main.rs",
        ] {
            assert_eq!(names(&[Source::new(path, "use aya::Ebpf;".to_owned())]), []);
        }
    }

    #[test]
    fn a_later_stage_is_found_however_it_is_named() {
        for (path, text) in [
            ("event.rs", "use crate::output::Text;"),
            ("event.rs", "use crate::{time::WallTime, output};"),
            ("event/sample.rs", "fn f() { crate::output::print() }"),
            ("event.rs", "use super::output;"),
            ("event/sample.rs", "use super::super::output::Text;"),
            ("event.rs", "mod tests { use super::super::output; }"),
            ("event.rs", "mod tests { }\nuse super::output;"),
        ] {
            assert_eq!(order_of(path, text), 1, "{path}: {text}");
        }
    }

    #[test]
    fn earlier_stages_and_own_parts_may_be_named() {
        for (path, text) in [
            ("output.rs", "use crate::{event, time};"),
            ("event.rs", "use crate::event::Sample; use std::output;"),
            ("event.rs", "mod tests { use super::output; }"),
            ("event/sample.rs", "use super::output;"),
            ("event.rs", "use crate::{time::{output, WallTime}};"),
            ("main.rs", "use crate::output;"),
        ] {
            assert_eq!(order_of(path, text), 0, "{path}: {text}");
        }
    }

    #[test]
    fn a_module_outside_the_list_is_found() {
        let library = format!("{LIBRARY}pub mod stray;\n");
        assert_eq!(order(&[source("lib.rs", &library)]).len(), 1);
    }
}
