//! The programs of `bench/ebpf`, and the one among them that calls all others.

use std::env;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use aya::maps::lpm_trie::{Key, LpmTrie};
use aya::maps::{Array, HashMap, Map, MapData, ProgramArray};
use aya::programs::{ProgramFd, TestRun as _, TestRunOptions, Xdp};
use aya::{Ebpf, EbpfLoader};

use crate::flows::{Flows, Random, TABLE_MAX};

/// Where `cargo xtask bench` puts the object.
const OBJECT: &str = "NETSEC_BENCH_PEERS";

/// Flows that each peer's table has room for.
pub(crate) const CAPACITY: u32 = 1 << 20;

/// `XDP_ABORTED`: the driver had no program to call.
const ABORTED: u32 = 0;

/// Every program of the object, loaded.
pub(crate) struct Driver {
    ebpf: Ebpf,
    programs: ProgramArray<MapData>,
    state: Array<MapData, [u64; 4]>,
    installed: u32,
    mask: u64,
    fresh: bool,
    action: u32,
}

impl Driver {
    /// Loads the object, with `blocked` random addresses on both block lists.
    pub(crate) fn load(blocked: u32) -> Result<Self> {
        let path = path(OBJECT)?;
        let object = fs::read(&path).with_context(|| path.display().to_string())?;
        let mut ebpf = EbpfLoader::new()
            .map_max_entries("OBVIOUS_FLOWS", CAPACITY)
            .map_max_entries("GOOD_FLOWS", CAPACITY)
            .map_max_entries("HASH_FLOWS", CAPACITY)
            .map_max_entries("OBVIOUS_BLOCKED", blocked.max(1))
            .map_max_entries("GOOD_BLOCKED", blocked.max(1))
            .load(&object)?;
        for (_, program) in ebpf.programs_mut() {
            let program: &mut Xdp = program.try_into()?;
            program.load()?;
        }
        block(&mut ebpf, blocked)?;
        Ok(Self {
            programs: take(&mut ebpf, "PROGRAMS")?.try_into()?,
            state: take(&mut ebpf, "STATE")?.try_into()?,
            ebpf,
            installed: 0,
            mask: 0,
            fresh: false,
            action: ABORTED,
        })
    }

    /// Makes one of the object's own programs callable, and gives its number.
    pub(crate) fn install_peer(&mut self, name: &str) -> Result<u32> {
        let program = self.program(name)?.fd()?.try_clone()?;
        self.install(&program)
    }

    /// Makes a program callable, and gives its number.
    pub(crate) fn install(&mut self, program: &ProgramFd) -> Result<u32> {
        let number = self.installed;
        self.programs.set(number, program, 0)?;
        self.installed += 1;
        Ok(number)
    }

    /// Sets the flows of the packets that follow.
    pub(crate) fn set_flows(&mut self, flows: Flows) -> Result<()> {
        self.set_table(&flows.table())
    }

    /// The same, flow by flow; none at all makes every packet a new one.
    pub(crate) fn set_table(&mut self, table: &[u64]) -> Result<()> {
        let map = self.map_mut("TABLE")?;
        let mut map: Array<_, u64> = map.try_into()?;
        for (index, flow) in (0..TABLE_MAX).zip(table) {
            map.set(index, flow, 0)?;
        }
        self.fresh = table.is_empty();
        self.mask = (table.len() as u64).max(1) - 1;
        ensure!(self.fresh || table.len().is_power_of_two(), "odd table");
        Ok(())
    }

    /// Sends packets through a program, from the `first` of the sequence on, and gives the mean time
    /// of one in nanoseconds, the harness included.
    pub(crate) fn run(&mut self, program: u32, first: u64, packets: u32) -> Result<f64> {
        self.point(program, first)?;
        let frame = frame()?;
        let result = self.program("driver")?.test_run(TestRunOptions {
            data_in: Some(&frame),
            repeat: packets,
            ..TestRunOptions::new()
        })?;
        ensure!(result.return_value != ABORTED, "no program {program}");
        self.action = result.return_value;
        Ok(result.duration.as_secs_f64() * 1e9)
    }

    /// What became of the last packet of the latest run, as XDP numbers it.
    pub(crate) const fn action(&self) -> u32 {
        self.action
    }

    /// Says which program gets the packets, and where their sequence begins.
    pub(crate) fn point(&mut self, program: u32, first: u64) -> Result<()> {
        let state = [first, self.mask, program.into(), u64::from(self.fresh)];
        self.state.set(0, state, 0)?;
        Ok(())
    }

    /// One of the object's programs.
    pub(crate) fn program(&self, name: &str) -> Result<&Xdp> {
        let program = self.ebpf.program(name);
        Ok(program.with_context(|| format!("no {name}"))?.try_into()?)
    }

    /// The same, to be attached.
    pub(crate) fn program_mut(&mut self, name: &str) -> Result<&mut Xdp> {
        let program = self.ebpf.program_mut(name);
        Ok(program.with_context(|| format!("no {name}"))?.try_into()?)
    }

    /// One of the object's maps.
    pub(crate) fn map_mut(&mut self, name: &str) -> Result<&mut Map> {
        let map = self.ebpf.map_mut(name);
        map.with_context(|| format!("no {name}"))
    }
}

/// What the environment variable names, which `cargo xtask bench` sets.
pub(crate) fn path(variable: &str) -> Result<PathBuf> {
    let path = env::var_os(variable);
    let path = path.with_context(|| format!("no {variable} (try: cargo xtask bench)"))?;
    Ok(path.into())
}

/// A UDP packet of 60 bytes; the driver writes its source and ports.
pub(crate) fn frame() -> Result<Vec<u8>> {
    netsec_tests::wire::Udp {
        source: 1025,
        destination: 443,
        vlan: None,
        payload_bytes: 18,
    }
    .frame()
}

fn block(ebpf: &mut Ebpf, blocked: u32) -> Result<()> {
    let mut random = Random(0xb10c);
    let addresses: Vec<u32> = (0..blocked).map(|_| random.below(u32::MAX)).collect();
    let map = ebpf.map_mut("OBVIOUS_BLOCKED").context("no trie")?;
    let mut trie: LpmTrie<_, [u8; 4], u32> = map.try_into()?;
    for address in &addresses {
        trie.insert(&Key::new(32, address.to_ne_bytes()), 1, 0)?;
    }
    let map = ebpf.map_mut("GOOD_BLOCKED").context("no hash")?;
    let mut hash: HashMap<_, u32, u32> = map.try_into()?;
    for address in &addresses {
        hash.insert(address, 1, 0)?;
    }
    Ok(())
}

fn take(ebpf: &mut Ebpf, name: &str) -> Result<Map> {
    ebpf.take_map(name).with_context(|| format!("no {name}"))
}
