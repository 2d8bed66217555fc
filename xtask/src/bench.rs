//! `bench`: netsec against its peers. What is measured and how is in the crate `bench`.

use std::ffi::OsString;

use anyhow::Result;

use crate::{build_ebpf, process, setup, workspace};

/// Where `netsec-bench` finds the programs that netsec is measured against.
const PEERS: &str = "NETSEC_BENCH_PEERS";

/// Where `netsec-bench` finds the command that it measures.
const NETSEC: &str = "NETSEC_BINARY";

/// Where it keeps captures.
const CAPTURES: &str = "NETSEC_BENCH_CAPTURES";

/// Builds both kernel objects, the command and the benchmarks for release, and runs them.
pub(crate) fn run(args: &[OsString]) -> Result<()> {
    let tools = setup::tools()?;
    build_ebpf::build(&tools)?;
    let peers = build_ebpf::build_peers(&tools)?;
    process::pass_through(
        process::cargo_with_object()
            .args(["build", "--release", "--locked"])
            .args(["--package", "netsec-user", "--package", "netsec-bench"]),
    )?;
    let release = workspace::host_target().join("release");
    process::pass_through(
        process::as_root(release.join("netsec-bench"))
            .args(args)
            .env(PEERS, peers)
            .env(NETSEC, release.join("netsec"))
            .env(CAPTURES, workspace::own_target().join("bench")),
    )
}
