//! The `netsec` command.

fn main() {}
