//! Frames through the engine: every packet is in a slot, in a record, or counted as lost.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netsec_fuzz::{engine, seeds};

fuzz_target!(init: seeds::write_if_asked(engine::seeds), |data: &[u8]| engine::check(data));
