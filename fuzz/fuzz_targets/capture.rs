//! A capture file, read whole, in pieces, and through gzip.
#![no_main]

use libfuzzer_sys::fuzz_target;
use netsec_fuzz::{capture, seeds};

fuzz_target!(init: seeds::write_if_asked(capture::seeds), |data: &[u8]| capture::check(data));
