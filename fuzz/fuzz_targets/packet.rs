//! A sample, decoded and written as text and as JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netsec_fuzz::{packet, seeds};

fuzz_target!(init: seeds::write_if_asked(packet::seeds), |data: &[u8]| packet::check(data));
