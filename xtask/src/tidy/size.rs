//! A file of more than 400 lines has two subjects.

use super::Finding;
use super::source::Source;

const LINES_MAX: usize = 400;

pub(super) fn check(sources: &[Source]) -> Vec<Finding> {
    sources
        .iter()
        .filter(|source| source.path.ends_with(".rs"))
        .filter_map(|source| {
            let lines = source.text.lines().count();
            (lines > LINES_MAX).then(|| {
                let what = format!("{lines} lines, more than {LINES_MAX}: split it by subject");
                Finding::new(source, 0, what)
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_is_found() {
        let long = |lines: usize| Source::new("a.rs", "\n".repeat(lines));
        assert_eq!(check(&[long(LINES_MAX)]), []);
        assert_eq!(check(&[long(LINES_MAX + 1)]).len(), 1);
        let data = Source::new("a.json", "\n".repeat(LINES_MAX + 1));
        assert_eq!(check(&[data]), []);
    }
}
