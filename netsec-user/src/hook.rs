//! Where frames are seen.

use std::fmt;

/// Which way a frame passes an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// Received: the XDP hook, or a capture file.
    Ingress,
    /// Sent: the TC egress hook.
    Egress,
}

/// One place where frames are counted: an interface and a direction.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Hook {
    /// Interface name; for a capture, the name it gives the interface, or the file's name.
    pub interface: String,
    /// Which frames of that interface.
    pub direction: Direction,
}

/// Index of a hook in the sensor's list, given out by whoever opens the sources.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HookId(pub u16);

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ingress => "ingress",
            Self::Egress => "egress",
        })
    }
}
