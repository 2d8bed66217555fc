//! netsec's tests against the real kernel, real captures and real peers.

pub mod anomaly;
pub mod binary;
pub mod bpf_fs;
pub mod data;
pub mod flows;
pub mod kernel;
pub mod mutation;
pub mod netns;
pub mod quoted;
pub mod replay;
pub mod rulings;
pub mod running;
pub mod sensor;
pub mod sourced;
pub mod suricata;
pub mod suspect;
pub mod traffic;
pub mod wire;
