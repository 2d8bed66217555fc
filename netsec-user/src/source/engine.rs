//! What a replay needs of an engine, wherever that runs.

use std::convert::Infallible;

use netsec_common::ledger::Snapshot;

use super::compare::Difference;
use super::host::HostFrame;
use super::kernel::KernelError;
use crate::event::Sink;
use crate::hook::HookId;

/// Takes the frames of one interface of a capture, in the capture's order.
pub trait FrameEngine {
    /// Why a frame, or the end, stops the replay.
    type Error: Into<FrameError>;

    /// Which hook it stands for.
    fn hook(&self) -> HookId;

    /// Sends one frame through the engine.
    ///
    /// # Errors
    ///
    /// The engine's.
    fn process(&mut self, frame: &HostFrame<'_>, sink: &mut impl Sink) -> Result<(), Self::Error>;

    /// Delivers what the flows counted since the last call.
    ///
    /// # Errors
    ///
    /// The engine's.
    fn read(&mut self, sink: &mut impl Sink) -> Result<(), Self::Error>;

    /// The counters so far.
    fn ledger(&self) -> Snapshot;

    /// Takes notice that there are no more frames.
    ///
    /// # Errors
    ///
    /// The engine's.
    fn finish(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// Why a frame stops a replay.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The XDP hook reads Ethernet only, and the frame has another link header.
    #[error("the frame is not Ethernet, which is all that the XDP hook reads")]
    NotEthernet,
    /// The kernel refuses.
    #[error(transparent)]
    Kernel(KernelError),
    /// Host and kernel differ.
    #[error("host and kernel differ\n{0}")]
    Differs(Box<Difference>),
}

impl From<Infallible> for FrameError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl From<KernelError> for FrameError {
    fn from(error: KernelError) -> Self {
        Self::Kernel(error)
    }
}

impl From<Difference> for FrameError {
    fn from(difference: Difference) -> Self {
        Self::Differs(Box::new(difference))
    }
}
