//! What the fuzz targets check, and the inputs they begin with.
//!
//! Each module holds one target: `check` panics on a finding, `seeds` writes inputs in the form that
//! `check` reads.

pub mod capture;
pub mod differential;
pub mod engine;
pub mod filter;
mod frame;
pub mod log;
pub mod packet;
pub mod seeds;
