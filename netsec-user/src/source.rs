//! Where frames come from.

pub mod capture;
