//! netsec's sensor as a library: sources, pipeline and outputs. The `netsec` command is a thin
//! layer over it.
//!
//! Data passes through the modules in this order, and no module names a later one:
//!
//! 1. [`time`]: wall time, and the one place that reads a clock;
//! 2. [`hook`]: where frames are seen: an interface and a direction;
//! 3. [`event`]: what every source delivers: header samples, flow deltas, ledger readings;
//! 4. [`settings`]: what the engine is asked to do;
//! 5. [`object`]: the kernel object inside this program;
//! 6. [`source`]: captures through the engine on the host, live traffic through the kernel;
//! 7. [`packet`]: sampled headers, decoded;
//! 8. [`connection`]: both directions of a flow, joined;
//! 9. [`filter`]: which packets and connections are of interest;
//! 10. [`finding`]: who does what to whom, and the figures that show it;
//! 11. [`detect`]: behaviour that no signature sees;
//! 12. [`summary`]: what an interval held;
//! 13. [`output`]: text for people, JSON Lines for programs;
//! 14. [`config`]: settings from `netsec.toml`;
//! 15. [`pipeline`]: the stages put together, for any source;
//! 16. [`replay`]: a capture through the pipeline;
//! 17. [`live`]: the kernel's events through the pipeline;
//! 18. [`doctor`]: whether this machine lets netsec do all that, and what to do where it does not.

pub mod config;
pub mod connection;
pub mod detect;
pub mod doctor;
pub mod event;
pub mod filter;
pub mod finding;
pub mod hook;
pub mod live;
pub mod object;
pub mod output;
pub mod packet;
pub mod pipeline;
pub mod replay;
pub mod settings;
pub mod source;
pub mod summary;
pub mod time;
