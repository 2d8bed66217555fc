//! Lines of logs.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netsec_fuzz::{log, seeds};

fuzz_target!(init: seeds::write_if_asked(log::seeds), |data: &[u8]| log::check(data));
