//! netsec's build, test and run commands: `cargo xtask <verb>`.

fn main() {}
