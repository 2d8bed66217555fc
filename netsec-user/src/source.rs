//! Where traffic comes from.

pub mod delta;
pub mod host;
pub mod kernel;
