#![doc = "stub"]
fn main() {}
