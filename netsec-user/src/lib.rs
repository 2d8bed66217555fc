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
//! 10. [`block`]: the block table, written and read back;
//! 11. [`feed`]: lists of addresses, as others write them;
//! 12. [`guard`]: what is never blocked, and what a block would cut;
//! 13. [`journal`]: the history of decisions;
//! 14. [`decide`]: what is blocked, for how long, and the record of it;
//! 15. [`summary`]: what an interval held;
//! 16. [`output`]: text for people, JSON Lines for programs;
//! 17. [`pipeline`]: the stages put together, for any source;
//! 18. [`replay`]: a capture through the pipeline;
//! 19. [`live`]: the kernel's events through the pipeline;
//! 20. [`api`]: the control socket;
//! 21. [`doctor`]: whether this machine lets netsec do all that, and what to do where it does not.

pub mod api;
pub mod block;
pub mod connection;
pub mod decide;
pub mod doctor;
pub mod event;
pub mod feed;
pub mod filter;
pub mod guard;
pub mod hook;
pub mod journal;
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
