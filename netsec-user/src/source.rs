//! Where traffic comes from.

pub mod capture;
pub mod delta;
pub mod host;
pub mod kernel;
