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
//! 9. [`log`]: logs of Suricata, Zeek and netsec, read and followed;
//! 10. [`table`]: tables of any kind as rows of numbers;
//! 11. [`filter`]: which packets, connections and log rows are of interest;
//! 12. [`forest`]: how easily a row is told apart from the rest;
//! 13. [`finding`]: who does what to whom, and the figures that show it;
//! 14. [`detect`]: behaviour that no signature sees;
//! 15. [`features`]: connections as numbers;
//! 16. [`correlate`]: what logs say, joined with what the kernel saw;
//! 17. [`block`]: the block table, written and read back;
//! 18. [`guard`]: what is never blocked, and what a block would cut;
//! 19. [`feed`]: lists of addresses, as others write them;
//! 20. [`journal`]: the history of decisions;
//! 21. [`decide`]: what is blocked, for how long, and the record of it;
//! 22. [`summary`]: what an interval held;
//! 23. [`output`]: text for people, JSON Lines for programs;
//! 24. [`anomaly`]: tables scored, with reasons;
//! 25. [`config`]: settings from `netsec.toml`;
//! 26. [`pipeline`]: the stages put together, for any source;
//! 27. [`replay`]: a capture through the pipeline;
//! 28. [`selftest`]: whether every detector fires, and every drop drops, on this kernel;
//! 29. [`live`]: the kernel's events through the pipeline;
//! 30. [`api`]: the control socket;
//! 31. [`doctor`]: whether this machine lets netsec do all that, and what to do where it does not.

pub mod anomaly;
pub mod api;
pub mod block;
pub mod config;
pub mod connection;
pub mod correlate;
pub mod decide;
pub mod detect;
pub mod doctor;
pub mod event;
pub mod features;
pub mod feed;
pub mod filter;
pub mod finding;
pub mod forest;
pub mod guard;
pub mod hook;
pub mod journal;
pub mod live;
pub mod log;
pub mod object;
pub mod output;
pub mod packet;
pub mod pipeline;
pub mod replay;
pub mod selftest;
pub mod settings;
pub mod source;
pub mod summary;
pub mod table;
pub mod time;
