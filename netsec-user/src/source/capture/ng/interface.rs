//! Interfaces: those of the section being read, and their names over the whole file.

use std::collections::HashMap;

use super::super::end::Damage;
use super::super::link::{self, Link};
use super::super::order::Order;
use super::INTERFACES_MAX;
use super::clock::Clock;
use super::options::options;

/// Option codes of an interface description (draft-ietf-opsawg-pcapng, 4.2).
mod option {
    pub(super) const NAME: u16 = 2;
    pub(super) const RESOLUTION: u16 = 9;
    pub(super) const OFFSET: u16 = 14;
}

/// Microseconds, unless the interface says otherwise.
const DEFAULT_RESOLUTION: u8 = 6;

/// Longest name that is kept, characters.
const NAME_CHARS_MAX: usize = 128;

/// Link type, snapshot length: what precedes the options.
const FIXED_BYTES: usize = 8;

/// Frames that were not delivered because of their link type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SkippedLink {
    /// Number of the link type at [tcpdump.org](https://www.tcpdump.org/linktypes.html).
    pub number: u16,
    /// Frames of it.
    pub frames: u64,
}

impl SkippedLink {
    /// Name of the link type, without the `LINKTYPE_`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        link::name(u32::from(self.number))
    }
}

/// One interface of a section.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interface {
    /// Index of its name and link type, if netsec reads that.
    pub(super) supported: Option<(u32, Link)>,
    pub(super) clock: Clock,
    /// Most bytes of a frame that were captured.
    pub(super) snapshot_bytes: u32,
    number: u16,
}

/// The interfaces of a file.
pub(super) struct Interfaces {
    /// Name of those without, before their number in the section.
    default_name: String,
    section: Vec<Interface>,
    names: Vec<String>,
    name_index: HashMap<String, u32>,
    skipped: Vec<SkippedLink>,
    first_refused: Option<u16>,
}

impl Interfaces {
    pub(super) fn new(default_name: &str) -> Self {
        Self {
            default_name: default_name.to_owned(),
            section: Vec::new(),
            names: Vec::new(),
            name_index: HashMap::new(),
            skipped: Vec::new(),
            first_refused: None,
        }
    }

    /// Forgets the interfaces of the section before; their names stay.
    pub(super) fn begin_section(&mut self) {
        self.section.clear();
    }

    /// Adds the interface that a block's body describes.
    pub(super) fn add(&mut self, order: Order, body: &[u8]) -> Result<(), Damage> {
        if self.section.len() >= INTERFACES_MAX || self.names.len() >= INTERFACES_MAX {
            return Err(Damage::Interfaces);
        }
        let (fixed, rest) = body.split_first_chunk().unwrap_or((&[0; FIXED_BYTES], &[]));
        let &[n0, n1, _, _, snapshot @ ..] = fixed;
        let number = order.u16([n0, n1]);
        let described = read_options(order, rest);
        let supported = match Link::from_number(u32::from(number)) {
            Some(link) => {
                let name = described.name.unwrap_or_else(|| self.unnamed());
                Some((self.index(name), link))
            }
            None => {
                self.first_refused.get_or_insert(number);
                None
            }
        };
        self.section.push(Interface {
            supported,
            clock: described.clock,
            snapshot_bytes: match order.u32(snapshot) {
                0 => u32::MAX,
                bytes => bytes,
            },
            number,
        });
        Ok(())
    }

    #[inline]
    pub(super) fn get(&self, interface: u32) -> Option<&Interface> {
        self.section.get(interface as usize)
    }

    /// How many interfaces the section has described so far.
    pub(super) const fn described(&self) -> usize {
        self.section.len()
    }

    /// Counts a frame of an interface whose link type is not supported.
    #[cold]
    pub(super) fn skip(&mut self, interface: &Interface) {
        let number = interface.number;
        match self.skipped.iter_mut().find(|link| link.number == number) {
            Some(link) => link.frames += 1,
            None => self.skipped.push(SkippedLink { number, frames: 1 }),
        }
    }

    /// The link type for which the file is refused: there are interfaces, but none is supported.
    pub(super) fn refusal(&self) -> Option<u32> {
        match self.first_refused {
            Some(number) if self.names.is_empty() => Some(u32::from(number)),
            _ => None,
        }
    }

    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    pub(super) fn skipped(&self) -> &[SkippedLink] {
        &self.skipped
    }

    fn unnamed(&self) -> String {
        match self.section.len() {
            0 => self.default_name.clone(),
            number => format!("{}#{number}", self.default_name),
        }
    }

    fn index(&mut self, name: String) -> u32 {
        let next = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        let index = *self.name_index.entry(name.clone()).or_insert(next);
        if index == next {
            self.names.push(name);
        }
        index
    }
}

/// What an interface's options say.
struct Described {
    name: Option<String>,
    clock: Clock,
}

/// An option of the wrong length is passed over, as is any that is not known.
fn read_options(order: Order, bytes: &[u8]) -> Described {
    let mut name = None;
    let mut resolution = DEFAULT_RESOLUTION;
    let mut offset_seconds = 0;
    for (code, value) in options(order, bytes) {
        match (code, value) {
            (option::NAME, value) => name = printable(value),
            (option::RESOLUTION, &[value]) => resolution = value,
            (option::OFFSET, value) => {
                if let Ok(value) = value.try_into() {
                    offset_seconds = order.i64(value);
                }
            }
            _ => {}
        }
    }
    Described {
        name,
        clock: Clock::new(resolution, offset_seconds),
    }
}

/// A name fit for a terminal, or `None` when it is empty.
fn printable(bytes: &[u8]) -> Option<String> {
    let bytes = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    let name: String = String::from_utf8_lossy(bytes)
        .chars()
        .take(NAME_CHARS_MAX)
        .map(|c| {
            if c.is_control() {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        })
        .collect();
    (!name.is_empty()).then_some(name)
}
