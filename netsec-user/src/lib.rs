//! netsec's sensor as a library: sources, pipeline and outputs. The `netsec` command is a thin
//! layer over it.
//!
//! Data passes through the modules in this order, and no module names a later one:
//!
//! 1. [`time`]: wall time, and the one place that reads a clock;
//! 2. [`hook`]: where frames are seen: an interface and a direction;
//! 3. [`event`]: what every source delivers: header samples, flow deltas, ledger readings;
//! 4. [`source`]: captures through the engine on the host, live traffic through the kernel;
//! 5. [`packet`]: sampled headers, decoded;
//! 6. [`connection`]: both directions of a flow, joined;
//! 7. [`filter`]: which packets and connections are of interest;
//! 8. [`summary`]: what an interval held;
//! 9. [`output`]: text for people, JSON Lines for programs.

pub mod connection;
pub mod event;
pub mod filter;
pub mod hook;
pub mod settings;
pub mod source;
pub mod summary;
pub mod time;
