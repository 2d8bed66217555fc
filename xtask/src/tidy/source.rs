//! A file, and what of a Rust file is code.

/// A tracked text file.
#[derive(Debug)]
pub(super) struct Source {
    /// Relative to the workspace, with `/`.
    pub(super) path: String,
    pub(super) text: String,
    /// For Rust the text with comments and literals blanked, line by line as long; else empty.
    pub(super) code: String,
}

impl Source {
    pub(super) fn new(path: &str, text: String) -> Self {
        let code = if path.ends_with(".rs") {
            blank(&text)
        } else {
            String::new()
        };
        Self {
            path: path.to_owned(),
            text,
            code,
        }
    }

    /// The file's path in a crate's `src/`, such as `output/json.rs`.
    pub(super) fn within(&self, source_folder: &str) -> Option<&str> {
        self.path.strip_prefix(source_folder)?.strip_prefix('/')
    }

    /// The words and signs of the code, each with its line.
    pub(super) fn tokens(&self) -> Vec<(usize, &str)> {
        self.code
            .lines()
            .enumerate()
            .flat_map(|(index, line)| words(line).map(move |word| (index + 1, word)))
            .collect()
    }
}

/// Splits a line into words, `::`, and single other signs.
fn words(mut line: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        line = line.trim_start();
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let first = line.chars().next()?;
        let length = if is_word(first) {
            line.find(|c| !is_word(c)).unwrap_or(line.len())
        } else if line.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        let (word, rest) = line.split_at(length);
        line = rest;
        Some(word)
    })
}

/// What the scanner is in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Code,
    LineComment,
    /// With its depth: block comments nest.
    BlockComment(usize),
    Text,
    /// With its number of `#`.
    RawText(usize),
}

/// Replaces comments and the insides of literals by spaces, and keeps every line break.
fn blank(text: &str) -> String {
    let mut state = State::Code;
    let mut blanked = String::with_capacity(text.len());
    let mut rest = text;
    let mut previous = ' ';
    while let Some(first) = rest.chars().next() {
        let (length, next) = step(state, rest, previous);
        let (taken, left) = rest.split_at(length.max(first.len_utf8()));
        let is_code = state == State::Code && next == State::Code && !taken.starts_with('\'');
        blanked.extend(
            taken
                .chars()
                .map(|c| if is_code || c == '\n' { c } else { ' ' }),
        );
        previous = taken.chars().next_back().unwrap_or(' ');
        state = next;
        rest = left;
    }
    blanked
}

/// How many bytes belong together at the start of `rest`, and what comes after them.
fn step(state: State, rest: &str, previous: char) -> (usize, State) {
    match state {
        State::Code => step_code(rest, previous),
        State::LineComment if rest.starts_with('\n') => (1, State::Code),
        State::BlockComment(depth) if rest.starts_with("/*") => (2, State::BlockComment(depth + 1)),
        State::BlockComment(1) if rest.starts_with("*/") => (2, State::Code),
        State::BlockComment(depth) if rest.starts_with("*/") => (2, State::BlockComment(depth - 1)),
        State::Text if rest.starts_with("\\\\") || rest.starts_with("\\\"") => (2, state),
        State::Text if rest.starts_with('"') => (1, State::Code),
        State::RawText(hashes) => match rest.strip_prefix('"') {
            Some(end) if leading_hashes(end) >= hashes => (1 + hashes, State::Code),
            _ => (1, state),
        },
        State::LineComment | State::BlockComment(_) | State::Text => (1, state),
    }
}

fn step_code(rest: &str, previous: char) -> (usize, State) {
    if rest.starts_with("//") {
        return (2, State::LineComment);
    }
    if rest.starts_with("/*") {
        return (2, State::BlockComment(1));
    }
    if rest.starts_with('"') {
        return (1, State::Text);
    }
    let in_word = previous.is_alphanumeric() || previous == '_';
    let raw = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r'));
    if let Some(after) = raw.filter(|_| !in_word) {
        let hashes = leading_hashes(after);
        if after.as_bytes().get(hashes) == Some(&b'"') {
            return (
                rest.len() - after.len() + hashes + 1,
                State::RawText(hashes),
            );
        }
    }
    (character_literal(rest).unwrap_or(1), State::Code)
}

/// The length of a character literal; a lifetime has no closing quote.
fn character_literal(rest: &str) -> Option<usize> {
    let inside = rest.strip_prefix('\'')?;
    let length = match inside.strip_prefix('\\') {
        Some(escaped) => 1 + escaped.chars().next()?.len_utf8() + escaped.get(1..)?.find('\'')?,
        None => inside.chars().next()?.len_utf8(),
    };
    inside
        .get(length..)?
        .starts_with('\'')
        .then_some(length + 2)
}

fn leading_hashes(text: &str) -> usize {
    text.bytes().take_while(|&byte| byte == b'#').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code_words(text: &str) -> Vec<String> {
        let source = Source::new("x.rs", text.to_owned());
        assert_eq!(
            source.code.lines().count(),
            text.lines().count(),
            "{text:?}"
        );
        let tokens = source.tokens();
        tokens
            .into_iter()
            .map(|(_, word)| word.to_owned())
            .collect()
    }

    #[test]
    fn comments_and_literals_are_no_code() {
        for (text, words) in [
            ("a // b\nc", vec!["a", "c"]),
            ("a /* b /* c */ d\n */ e", vec!["a", "e"]),
            (r#"a "b \" // c" d"#, vec!["a", "d"]),
            ("a r#\"b \" c\"# d", vec!["a", "d"]),
            ("a br\"b\\\" d", vec!["a", "d"]),
            ("a '\"' b", vec!["a", "b"]),
            (r"a '\'' b '\u{7f}' c", vec!["a", "b", "c"]),
            ("a::b<'c, d>", vec!["a", "::", "b", "<", "c", ",", "d", ">"]),
        ] {
            let found = code_words(text);
            let found: Vec<_> = found
                .iter()
                .map(String::as_str)
                .filter(|&w| w != "\"")
                .collect();
            assert_eq!(found, words, "{text:?}");
        }
    }

    #[test]
    fn tokens_know_their_lines() {
        let source = Source::new("x.rs", "a\n// b\nc".to_owned());
        assert_eq!(source.tokens(), [(1, "a"), (3, "c")]);
    }
}
