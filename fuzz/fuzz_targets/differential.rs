//! One frame, read by the engine and by etherparse.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netsec_fuzz::{differential, seeds};

fuzz_target!(init: seeds::write_if_asked(differential::seeds), |data: &[u8]| differential::check(data));
