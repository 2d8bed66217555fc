//! The block table in the kernel's maps.

use std::fmt;
use std::path::{Path, PathBuf};

use aya::maps::{Map, MapData};
use aya::{Ebpf, EbpfLoader};
use netsec_common::Word;
use netsec_common::block::{
    Aside, BlockClock, BlockControl, BlockMemory, BlockSizes, Bucket, EntrySlot, LAYOUT,
};
use netsec_common::config::Config;
use nix::sys::mman::ProtFlags;

use super::super::blocks::{BlockStore, REPLAY_CLOCK};
use super::error::KernelError;
use super::load::Purpose;
use super::shared::{Shared, SharedEntry};
use super::{KernelEngine, KernelSettings};
use crate::hook::HookId;
use crate::time::MonotonicOffset;

/// The maps of a table, by their names in the object.
pub(super) const NAMES: [&str; 5] = [
    "BLOCK_CONTROL",
    "BLOCK_FILTER",
    "BLOCK_BUCKETS",
    "BLOCK_ENTRIES",
    "BLOCK_ASIDES",
];

/// The block table that programs in the kernel read, in this process's memory.
pub struct BlockMaps {
    control: Shared<BlockControl>,
    filter: Shared<Word>,
    buckets: Shared<Bucket>,
    entries: Shared<EntrySlot>,
    asides: Shared<Aside>,
    /// In the order of [`NAMES`].
    maps: Vec<MapData>,
    /// A list has a million entries, each with an end.
    offset: MonotonicOffset,
}

/// A folder of pins that goes with this value.
struct Passing(PathBuf);

impl Drop for Passing {
    fn drop(&mut self) {
        for name in NAMES {
            drop(std::fs::remove_file(self.0.join(name)));
        }
        // What cannot be removed is an empty folder.
        drop(std::fs::remove_dir(&self.0));
    }
}

/// Where a program that is loaded finds its block table.
#[derive(Clone, Debug)]
pub enum BlockSource {
    /// It has none, and drops nothing.
    None,
    /// A new one for so many entries.
    New(u32),
    /// The one pinned in this folder of a BPF file system; made there when there is none, for so many
    /// entries.
    Pinned(PathBuf, u32),
}

impl BlockSource {
    /// Tells the loader.
    pub(super) fn apply(&self, loader: &mut EbpfLoader<'_>) {
        let (folder, capacity) = match self {
            Self::None => return,
            Self::New(capacity) => (None, *capacity),
            Self::Pinned(folder, capacity) => (Some(folder), *capacity),
        };
        let sizes = BlockSizes::for_capacity(capacity);
        let counts = [1, sizes.filter, sizes.buckets, sizes.entries, sizes.entries];
        for (name, count) in NAMES.into_iter().zip(counts) {
            loader.map_max_entries(name, count);
            if let Some(folder) = folder {
                loader.map_pin_path(name, folder.join(name));
            }
        }
    }
}

impl BlockMaps {
    /// The table of a loaded object: made now if it is new, brought in order if it was there.
    pub(super) fn of_object(
        ebpf: &Ebpf,
        clock: BlockClock,
        hash_keys: &[u32; 10],
    ) -> Result<Self, KernelError> {
        let blocks = Self::from_maps(|name| {
            let Some(Map::Array(data)) = ebpf.map(name) else {
                return Err(KernelError::ObjectWithout { name });
            };
            duplicate(name, data)
        })?;
        let memory = blocks.memory();
        if memory.layout() == 0 {
            let [a, b, c, d, e, f, g, h, ..] = hash_keys.map(u64::from);
            memory.create([a << 32 | b, c << 32 | d, e << 32 | f, g << 32 | h]);
        } else {
            memory.recover(&mut vec![0; memory.scratch_words()]);
        }
        memory.set_clock(clock);
        Ok(blocks)
    }

    /// The table pinned in a folder, for a process that is no sensor; `None` when there is none.
    ///
    /// # Errors
    ///
    /// [`KernelError::Pins`] when it is of another version, or only part of it is there.
    pub fn open(folder: &Path) -> Result<Option<Self>, KernelError> {
        let is_there = |name: &&str| folder.join(name).exists();
        match NAMES.iter().filter(|name| is_there(name)).count() {
            0 => return Ok(None),
            5 => {}
            found => {
                return Err(pins(folder, format!("{found} of 5 maps are there")));
            }
        }
        let blocks = Self::from_maps(|name| {
            MapData::from_pin(folder.join(name))
                .map_err(|source| pins(folder, format!("{name}: {source}")))
        })
        .map_err(|error| pins(folder, error.to_string()))?;
        let memory = blocks.memory();
        if memory.is_table() {
            return Ok(Some(blocks));
        }
        Err(pins(
            folder,
            format!(
                "they have layout {:#x}, this netsec {LAYOUT:#x}",
                memory.layout()
            ),
        ))
    }

    /// Calls `load` with a source of this same table, for another hook. aya gives a map to a program by
    /// a path only, so the maps have one in this folder of a BPF file system meanwhile.
    ///
    /// # Errors
    ///
    /// [`KernelError::NoBpfFs`], or those of `load`.
    pub fn shared<T>(
        &self,
        bpf_fs: &Path,
        load: impl FnOnce(&BlockSource) -> Result<T, KernelError>,
    ) -> Result<T, KernelError> {
        let failed = |reason: String| KernelError::NoBpfFs {
            what: "one block table for several interfaces",
            reason: format!("{}: {reason}", bpf_fs.display()),
        };
        let folder = Passing(bpf_fs.join(format!("netsec-{}", std::process::id())));
        std::fs::create_dir(&folder.0).map_err(|error| failed(error.to_string()))?;
        for (name, map) in NAMES.into_iter().zip(&self.maps) {
            map.pin(folder.0.join(name))
                .map_err(|error| failed(format!("{name}: {error}")))?;
        }
        let source = BlockSource::Pinned(folder.0.clone(), self.memory().capacity());
        load(&source)
    }

    /// Bytes of kernel memory in the table.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        BlockSizes::for_capacity(self.memory().capacity()).bytes()
    }

    fn from_maps(
        mut open: impl FnMut(&'static str) -> Result<MapData, KernelError>,
    ) -> Result<Self, KernelError> {
        let maps = NAMES
            .into_iter()
            .map(&mut open)
            .collect::<Result<Vec<_>, _>>()?;
        let [control, filter, buckets, entries, asides] = maps.as_slice() else {
            return Err(KernelError::ObjectWithout {
                name: "block table",
            });
        };
        Ok(Self {
            control: share(NAMES[0], control)?,
            filter: share(NAMES[1], filter)?,
            buckets: share(NAMES[2], buckets)?,
            entries: share(NAMES[3], entries)?,
            asides: share(NAMES[4], asides)?,
            maps,
            offset: MonotonicOffset::default(),
        })
    }
}

impl KernelEngine {
    /// As [`Self::load`], with a block table, in mode "detect" until its writer says otherwise.
    ///
    /// # Errors
    ///
    /// As [`Self::load`].
    pub fn load_blocking(
        object: &[u8],
        hook: HookId,
        settings: &KernelSettings,
        blocks: &BlockSource,
    ) -> Result<(Self, BlockMaps), KernelError> {
        let purpose = Purpose::ingress(blocks.clone());
        let (engine, blocks) = Self::load_program(object, hook, settings, &purpose)?;
        Ok((
            engine,
            blocks.ok_or(KernelError::ObjectWithout {
                name: "block table",
            })?,
        ))
    }

    /// The table that this engine was loaded with.
    pub(super) fn block_maps(
        &self,
        purpose: &Purpose,
        config: &Config,
    ) -> Result<Option<BlockMaps>, KernelError> {
        if matches!(purpose.blocks, BlockSource::None) {
            return Ok(None);
        }
        let clock = if purpose.is_replay {
            REPLAY_CLOCK
        } else {
            self.clock.block_clock()
        };
        BlockMaps::of_object(&self.ebpf, clock, &config.hash_keys).map(Some)
    }
}

impl BlockStore for BlockMaps {
    fn memory(&self) -> BlockMemory<'_> {
        BlockMemory {
            control: self.control.first(),
            filter: self.filter.as_slice(),
            buckets: self.buckets.as_slice(),
            entries: self.entries.as_slice(),
            asides: self.asides.as_slice(),
        }
    }

    fn wall_offset_ns(&self) -> i64 {
        if self.memory().clock() == REPLAY_CLOCK {
            return 0;
        }
        self.offset.ns()
    }
}

impl fmt::Debug for BlockMaps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockMaps")
            .field("used", &self.memory().used())
            .field("capacity", &self.memory().capacity())
            .finish_non_exhaustive()
    }
}

fn duplicate(name: &'static str, data: &MapData) -> Result<MapData, KernelError> {
    let fd = std::os::fd::AsFd::as_fd(data.fd()).try_clone_to_owned();
    let fd = fd.map_err(|source| KernelError::Share { name, source })?;
    MapData::from_fd(fd).map_err(|source| KernelError::Map { name, source })
}

/// All elements of a map that has elements of this type.
fn share<T: SharedEntry>(name: &'static str, map: &MapData) -> Result<Shared<T>, KernelError> {
    let info = map
        .info()
        .map_err(|source| KernelError::Map { name, source })?;
    if info.value_size() as usize != size_of::<T>() || info.max_entries() == 0 {
        return Err(KernelError::Share {
            name,
            source: std::io::Error::other(format!(
                "its elements have {} bytes, not {}",
                info.value_size(),
                size_of::<T>()
            )),
        });
    }
    let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    Shared::map(map.fd(), info.max_entries() as usize, protection)
        .map_err(|source| KernelError::Share { name, source })
}

fn pins(folder: &Path, reason: String) -> KernelError {
    KernelError::Pins {
        folder: folder.to_owned(),
        reason,
    }
}
