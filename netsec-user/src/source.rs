//! Where traffic comes from.

pub mod blocks;
pub mod capture;
pub mod compare;
pub mod delta;
pub mod engine;
pub mod host;
pub mod kernel;
mod reading;
