//! Why a prefix is not blocked, in a sentence.

use std::fmt;

use netsec_common::block::Prefix;

use super::{Protected, WIDE};

/// Something protected that a prefix shares addresses with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Covered {
    /// The protected addresses.
    pub prefix: Prefix,
    /// Why they are protected.
    pub why: Protected,
}

/// Why a prefix is not blocked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What was to be blocked.
    pub prefix: Prefix,
    /// What is protected there, the most telling first.
    pub covered: Vec<Covered>,
    /// Whether it is wider than is blocked without force.
    pub is_wide: bool,
    /// Whether force changes nothing.
    pub is_final: bool,
}

/// So many are named.
const NAMED_MAX: usize = 4;

impl std::error::Error for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused: {}", self.prefix)?;
        let inside = self.covered.iter().find(|c| c.prefix.covers(self.prefix));
        if let Some(covered) = inside {
            let word = if covered.prefix == self.prefix {
                "is"
            } else {
                "lies in"
            };
            write!(f, " {word} {covered}, which always passes")?;
            if covered.why == Protected::Allowed {
                write!(f, "; to change that: netsec allow del {}", covered.prefix)?;
            }
            return Ok(());
        }
        if self.is_wide {
            let widest = if self.prefix.is_v4() { WIDE.0 } else { WIDE.1 };
            write!(f, " is wider than /{widest}")?;
        }
        if !self.covered.is_empty() {
            let and = if self.is_wide { " and" } else { "" };
            write!(f, "{and} covers ")?;
            self.list(f)?;
        }
        if self.is_final {
            return f.write_str(". --force does not change that: block the parts around it");
        }
        f.write_str(match self.covered.is_empty() {
            true => ". Use --force to do it anyway",
            false => ". Use --force to block the rest: what is named here passes all the same",
        })
    }
}

impl Refusal {
    fn list(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = self.covered.len().min(NAMED_MAX);
        for (index, covered) in self.covered.iter().take(named).enumerate() {
            if index > 0 {
                let is_last = index + 1 == self.covered.len();
                f.write_str(if is_last { " and " } else { ", " })?;
            }
            write!(f, "{covered}")?;
        }
        match self.covered.len() - named {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

impl fmt::Display for Covered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.why {
            Protected::SshPeer => "your SSH client",
            Protected::Own => "this host's address",
            Protected::Gateway => "the default gateway",
            Protected::Dns => "the DNS server",
            Protected::Allowed => "the allowlist's",
            Protected::Loopback => "loopback",
            Protected::LinkLocal => "link-local",
            Protected::Multicast => "multicast",
            Protected::Broadcast => "the broadcast address",
            Protected::Unspecified => "the unspecified address",
        };
        write!(f, "{what} {}", self.prefix)
    }
}
