//! Why a replay stops early.

use std::io;

use crate::source::capture::{Capture, CaptureError};
use crate::source::compare::Difference;
use crate::source::engine::FrameError;
use crate::source::kernel::KernelError;

/// Why a replay stopped early.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The capture cannot be read.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// The output cannot be written.
    #[error("cannot write the output")]
    Output(#[from] io::Error),
    /// An engine cannot be loaded.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// The kernel refuses a frame.
    #[error("{place}: {error}")]
    Frame {
        /// Which frame.
        place: String,
        /// What the kernel says.
        error: Box<KernelError>,
    },
    /// The capture has frames that the XDP hook cannot read.
    #[error(
        "{place}: link type {link}; the kernel's engine stands at an XDP hook, which reads \
         Ethernet only\n\
         try: --engine host"
    )]
    NotEthernet {
        /// Which frame.
        place: String,
        /// The frame's link type.
        link: &'static str,
    },
    /// The engines on the host and in the kernel do not agree.
    #[error("{place}: host and kernel differ\n{difference}")]
    Differs {
        /// After which frame.
        place: String,
        /// In what.
        difference: Box<Difference>,
    },
}

impl ReplayError {
    /// What stopped the replay at the frame with this number, from 1 on: the one that the capture
    /// stands at.
    #[cold]
    pub(super) fn of_frame(error: FrameError, capture: &Capture, number: u64) -> Self {
        let offset = capture.frame_offset().unwrap_or_default();
        let place = format!("{}: frame {number}, at byte {offset}", capture.file());
        Self::at(error, capture, place)
    }

    /// What stopped the replay after this many frames.
    #[cold]
    pub(super) fn at_end(error: FrameError, capture: &Capture, frames: u64) -> Self {
        let place = format!("{}: after frame {frames}, the last", capture.file());
        Self::at(error, capture, place)
    }

    fn at(error: FrameError, capture: &Capture, place: String) -> Self {
        match error {
            FrameError::NotEthernet => Self::NotEthernet {
                place,
                link: capture.link_name().unwrap_or_default(),
            },
            FrameError::Kernel(error) => Self::Frame {
                place,
                error: Box::new(error),
            },
            FrameError::Differs(difference) => Self::Differs { place, difference },
        }
    }
}
