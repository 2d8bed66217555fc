//! netsec's tests against the real kernel, real captures and real peers.

pub mod data;
