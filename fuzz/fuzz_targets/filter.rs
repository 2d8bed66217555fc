//! A filter expression, asked of flows.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netsec_fuzz::{filter, seeds};

fuzz_target!(init: seeds::write_if_asked(filter::seeds), |data: &[u8]| filter::check(data));
