//! netsec's tests against the real kernel, real captures and real peers.

pub mod command;
pub mod data;
pub mod kernel;
pub mod netns;
pub mod wire;
