//! Whether text is coloured and aligned.

use std::ffi::OsStr;

/// Whether escape codes for colours are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Written.
    Always,
    /// Not written.
    Never,
}

/// What the operator asked for with `--color`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColourFlag {
    /// Colours on a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Colours everywhere.
    Always,
    /// No colours.
    Never,
}

/// How text looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether it is coloured.
    pub colour: Colour,
    /// Whether it stands in columns, for eyes; otherwise single spaces part words, for programs.
    pub aligned: bool,
}

impl Style {
    /// Text in a pipe or a file.
    pub const PLAIN: Self = Self {
        colour: Colour::Never,
        aligned: false,
    };
}

/// Decides about colours from what standard output is, the value of `NO_COLOR`
/// (<https://no-color.org>: set and not empty means no colours), and the flag, which outranks both.
#[must_use]
pub fn colour_choice(
    stdout_is_terminal: bool,
    no_color: Option<&OsStr>,
    flag: ColourFlag,
) -> Colour {
    let refused = no_color.is_some_and(|value| !value.is_empty());
    match flag {
        ColourFlag::Always => Colour::Always,
        ColourFlag::Auto if stdout_is_terminal && !refused => Colour::Always,
        ColourFlag::Auto | ColourFlag::Never => Colour::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_outranks_no_color_and_no_color_the_terminal() {
        let set = Some(OsStr::new("1"));
        let empty = Some(OsStr::new(""));
        let choices = [
            (true, None, ColourFlag::Auto, Colour::Always),
            (true, empty, ColourFlag::Auto, Colour::Always),
            (true, set, ColourFlag::Auto, Colour::Never),
            (false, None, ColourFlag::Auto, Colour::Never),
            (false, set, ColourFlag::Always, Colour::Always),
            (true, None, ColourFlag::Never, Colour::Never),
        ];
        for (terminal, no_color, flag, expected) in choices {
            assert_eq!(
                colour_choice(terminal, no_color, flag),
                expected,
                "{terminal} {no_color:?} {flag:?}"
            );
        }
    }
}
