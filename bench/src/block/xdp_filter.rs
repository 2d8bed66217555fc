//! Debian's xdp-filter (package `libxdp1`) with a list of source addresses.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use aya::maps::{PerCpuHashMap, PerCpuValues};
use aya::programs::Xdp;
use aya::{Ebpf, EbpfLoader, util::nr_cpus};

use crate::driver::Driver;
use crate::kernel::contestant::load_pinned;

/// The build of it that knows all it can filter by, and passes what is on no list.
const ALL_FEATURES: &str = "/usr/lib/x86_64-linux-gnu/bpf/xdpfilt_alw_all.o";

/// What it calls its list of IPv4 addresses.
const LIST: &str = "filter_ipv4";

/// In an entry: the address is looked for as a source (`MAP_FLAG_SRC` of xdp-tools).
const AS_SOURCE: u64 = 1;

/// It, loaded.
pub(super) struct XdpFilter {
    _ebpf: Ebpf,
    /// Its number among the driver's programs.
    pub(super) number: u32,
}

impl XdpFilter {
    /// Drops what comes from these addresses, which are as they stand in the packet.
    pub(super) fn load(driver: &mut Driver, sources: &[u32]) -> Result<Self> {
        let path = Path::new(ALL_FEATURES);
        let object = fs::read(path)
            .with_context(|| format!("{} (try: apt-get install xdp-tools)", path.display()))?;
        let entries = u32::try_from(sources.len())?.max(1);
        let mut loader = EbpfLoader::new();
        loader.map_max_entries(LIST, entries);
        let mut ebpf = load_pinned(&mut loader, &object)?;
        let cpus = nr_cpus().map_err(|(path, error)| anyhow::anyhow!("{path}: {error}"))?;
        let map = ebpf.map_mut(LIST).context("no list of addresses in it")?;
        let mut list: PerCpuHashMap<_, u32, u64> = map.try_into()?;
        for source in sources {
            list.insert(source, PerCpuValues::try_from(vec![AS_SOURCE; cpus])?, 0)?;
        }
        let (_, program) = ebpf.programs_mut().next().context("no program in it")?;
        let program: &mut Xdp = program.try_into()?;
        program.load()?;
        let number = driver.install(&program.fd()?.try_clone()?)?;
        Ok(Self {
            _ebpf: ebpf,
            number,
        })
    }
}
