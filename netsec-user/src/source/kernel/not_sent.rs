//! Frames of a capture that `BPF_PROG_TEST_RUN` does not take.

use std::fmt;
use std::ops::AddAssign;

use super::super::host::HostFrame;

/// An Ethernet header: the kernel refuses less.
pub const SENT_BYTES_MIN: usize = 14;

/// A page without the 256 bytes in front of the frame and the 320 of `skb_shared_info` behind it.
///
/// What is longer the kernel refuses, or since Linux 5.18 keeps in fragments of which
/// the program sees the first only.
pub const SENT_BYTES_MAX: usize = 4096 - 256 - 320;

/// Why a frame cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    Short,
    Long,
    Cut,
}

impl Unfit {
    /// `None` for a frame that can be sent.
    pub(super) fn of(frame: &HostFrame<'_>) -> Option<Self> {
        let captured = frame.bytes.len();
        if u32::try_from(captured) != Ok(frame.wire_bytes) {
            Some(Self::Cut)
        } else if captured < SENT_BYTES_MIN {
            Some(Self::Short)
        } else if captured > SENT_BYTES_MAX {
            Some(Self::Long)
        } else {
            None
        }
    }
}

/// Frames that could not be sent, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NotSent {
    /// Under [`SENT_BYTES_MIN`] bytes.
    pub short: u64,
    /// Over [`SENT_BYTES_MAX`] bytes.
    pub long: u64,
    /// Captured in part: the kernel cannot be told the length on the wire.
    pub cut: u64,
}

impl NotSent {
    /// All of them.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.short + self.long + self.cut
    }

    pub(super) const fn count(&mut self, reason: Unfit) {
        match reason {
            Unfit::Short => self.short += 1,
            Unfit::Long => self.long += 1,
            Unfit::Cut => self.cut += 1,
        }
    }
}

impl AddAssign<&Self> for NotSent {
    fn add_assign(&mut self, other: &Self) {
        self.short += other.short;
        self.long += other.long;
        self.cut += other.cut;
    }
}

impl fmt::Display for NotSent {
    /// `3 frames: 1 cut by the snap length, 2 longer than 3520 bytes`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.total();
        write!(f, "{total} frame{}", if total == 1 { "" } else { "s" })?;
        let mut separator = ": ";
        for (count, reason) in [
            (self.cut, "cut by the snap length".to_owned()),
            (self.short, format!("shorter than {SENT_BYTES_MIN} bytes")),
            (self.long, format!("longer than {SENT_BYTES_MAX} bytes")),
        ] {
            if count > 0 {
                write!(f, "{separator}{count} {reason}")?;
                separator = ", ";
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use netsec_common::packet::Start;

    use super::*;
    use crate::time::WallTime;

    #[test]
    fn each_reason_is_told_and_counted() {
        let mut counts = NotSent::default();
        assert_eq!(counts.to_string(), "0 frames");
        for (bytes, wire_bytes, reason) in [
            (14, 14, None),
            (3520, 3520, None),
            (13, 13, Some(Unfit::Short)),
            (0, 0, Some(Unfit::Short)),
            (3521, 3521, Some(Unfit::Long)),
            (96, 1500, Some(Unfit::Cut)),
            (13, 60, Some(Unfit::Cut)),
        ] {
            let frame = HostFrame {
                time: WallTime::default(),
                start: Start::Ethernet,
                wire_bytes,
                bytes: &vec![0; bytes],
            };
            assert_eq!(Unfit::of(&frame), reason, "{bytes} of {wire_bytes}");
            if let Some(reason) = reason {
                counts.count(reason);
            }
        }
        let mut twice = counts;
        twice += &counts;
        assert_eq!((counts.total(), twice.total()), (5, 10));
        assert_eq!(
            counts.to_string(),
            "5 frames: 2 cut by the snap length, 2 shorter than 14 bytes, \
             1 longer than 3520 bytes"
        );
    }
}
