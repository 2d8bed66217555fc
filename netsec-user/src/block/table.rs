//! An enforcer over a block table in memory: the kernel's or this process's.

use std::net::IpAddr;

use netsec_common::block::{
    BlockCounters, BlockEntry, BlockKey, BlockMemory, BlockTime, Insertion, List, Mode, Narrowing,
    Prefix, Refusal, SHAPES_MAX,
};

use super::{Action, Block, BlockError, BlockState, DeadMan, Enforcer, InForce, Inserted, Usage};
use crate::source::blocks::{BlockStore, HostBlocks};
use crate::source::kernel::BlockMaps;
use crate::time::WallTime;

/// Writes the table that the kernel's programs read.
pub type KernelEnforcer = TableEnforcer<BlockMaps>;

/// Writes the table that the replay of a capture reads.
pub type HostEnforcer = TableEnforcer<HostBlocks>;

/// The one writer of a table.
#[derive(Debug)]
pub struct TableEnforcer<S> {
    store: S,
}

impl<S: BlockStore> TableEnforcer<S> {
    /// The writer of this table. There may be no other.
    #[must_use]
    pub const fn new(store: S) -> Self {
        Self { store }
    }

    /// Where the table lies.
    #[must_use]
    pub const fn store(&self) -> &S {
        &self.store
    }

    fn memory(&self) -> BlockMemory<'_> {
        self.store.memory()
    }

    fn time(&self, wall: WallTime) -> BlockTime {
        let ns = wall.as_ns().saturating_sub(self.store.wall_offset_ns());
        self.memory().clock().ticks_at(ns)
    }

    fn entry(&self, block: &Block) -> BlockEntry {
        BlockEntry {
            key: block.key,
            action: block.action,
            decision_id: block.decision_id,
            expires: block.until.map(|until| self.time(until)),
        }
    }

    fn state(&self) -> impl Fn((BlockEntry, BlockCounters)) -> BlockState {
        let (clock, offset_ns) = (self.memory().clock(), self.store.wall_offset_ns());
        let wall = move |time| WallTime::from_ns(clock.ns_of(time).saturating_add(offset_ns));
        move |(entry, counters)| BlockState {
            block: Block {
                key: entry.key,
                action: entry.action,
                decision_id: entry.decision_id,
                until: entry.expires.map(wall),
            },
            packets: counters.packets,
            bytes: counters.bytes,
            first: counters.first.map(wall),
            last: counters.last.map(wall),
        }
    }

    fn tidy_if_needed(&self) {
        let memory = self.memory();
        if memory.is_untidy() {
            self.tidy();
        }
    }

    fn tidy(&self) {
        let memory = self.memory();
        memory.tidy(&mut vec![0; memory.scratch_words()]);
    }

    /// Makes room where that is possible without touching what is live: removes what had expired at
    /// the last heartbeat, and shapes that no entry has.
    fn make_room(&self) {
        let memory = self.memory();
        let now = memory.control.last_heartbeat();
        for (entry, _) in memory.entries() {
            if entry.expires.is_some_and(|expires| expires <= now) {
                memory.remove(&entry.key);
            }
        }
        self.tidy();
    }

    fn error(&self, refusal: Refusal, block: &Block) -> BlockError {
        match refusal {
            Refusal::Full => BlockError::Full {
                capacity: self.memory().capacity(),
            },
            Refusal::Shapes => BlockError::Shapes {
                family: if block.key.prefix.is_v4() {
                    "IPv4"
                } else {
                    "IPv6"
                },
                list: match block.key.list {
                    List::Block => "blocklist",
                    List::Allow => "allowlist",
                },
                prefix: block.key.prefix,
                max: SHAPES_MAX,
            },
        }
    }
}

impl<S: BlockStore> Enforcer for TableEnforcer<S> {
    fn insert(&mut self, block: &Block) -> Result<Inserted, BlockError> {
        check(block)?;
        let entry = self.entry(block);
        let inserted = self.memory().insert(&entry).or_else(|_refusal| {
            self.make_room();
            self.memory().insert(&entry)
        });
        match inserted {
            Ok(Insertion::New) => Ok(Inserted::New),
            Ok(Insertion::Replaced) => Ok(Inserted::Replaced),
            Err(refusal) => Err(self.error(refusal, block)),
        }
    }

    fn remove(&mut self, key: &BlockKey) -> Option<BlockState> {
        let removed = self.memory().remove(key).map(self.state());
        self.tidy_if_needed();
        removed
    }

    fn get(&self, key: &BlockKey) -> Option<BlockState> {
        self.memory().get(key).map(self.state())
    }

    fn visit(&self, visitor: &mut dyn FnMut(&BlockState)) {
        let state = self.state();
        self.memory()
            .entries()
            .for_each(|entry| visitor(&state(entry)));
    }

    fn visit_part(&self, part: usize, parts: usize, visitor: &mut dyn FnMut(&BlockState)) {
        let state = self.state();
        let memory = self.memory();
        for entry in memory.entries_of_part(part, parts) {
            visitor(&state(entry));
        }
    }

    fn decisive(
        &self,
        source: IpAddr,
        protocol: Option<u8>,
        port: Option<u16>,
        now: WallTime,
    ) -> Option<BlockState> {
        let (source, now) = (Prefix::host(source), self.time(now));
        let on = |list| self.memory().decisive(list, source, protocol, port, now);
        let block = on(List::Block)?;
        Some(self.state()(on(List::Allow).unwrap_or(block)))
    }

    fn usage(&self) -> Usage {
        let memory = self.memory();
        Usage {
            entries: memory.used(),
            capacity: memory.capacity(),
            refused: memory.refused(),
        }
    }

    fn mode(&self) -> Mode {
        self.memory().control.mode()
    }

    fn set_mode(&mut self, mode: Mode) {
        self.memory().control.set_mode(mode);
    }

    fn set_dead_man(&mut self, dead_man: DeadMan) {
        let clock = self.memory().clock();
        // A limit of no time at all would be no limit to the table.
        let ticks = |limit: std::time::Duration| {
            let ns = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
            clock.ticks_in(ns).max(1)
        };
        let limit_ticks = dead_man.limit.map_or(0, ticks);
        let control = self.memory().control;
        control.set_silence(limit_ticks, dead_man.on_silence);
    }

    fn dead_man(&self) -> DeadMan {
        let memory = self.memory();
        let limit_ns = |ticks: u64| ticks.saturating_mul(memory.clock().tick_ns);
        let limit_ticks = Some(memory.control.limit_ticks()).filter(|ticks| *ticks != 0);
        DeadMan {
            limit: limit_ticks.map(|ticks| std::time::Duration::from_nanos(limit_ns(ticks))),
            on_silence: memory.control.on_silence(),
        }
    }

    fn heartbeat(&mut self, now: WallTime) {
        self.memory().control.beat(self.time(now));
    }

    fn in_force(&self, now: WallTime) -> InForce {
        let control = self.memory().control;
        InForce {
            mode: control.mode(),
            silent: control.silence(self.time(now)),
        }
    }

    fn set_drop_sampling(&mut self, n: u32) {
        self.memory().control.set_sample_one_in(n);
    }
}

/// What no packet could match is refused.
fn check(block: &Block) -> Result<(), BlockError> {
    if let Action::RateLimit { packets_per_s } = block.action
        && packets_per_s > Action::RATE_MAX
    {
        return Err(BlockError::Rate { packets_per_s });
    }
    match block.key.narrowing {
        Narrowing::Port {
            protocol: 6 | 17 | 132,
            port: 1..,
        }
        | Narrowing::Any
        | Narrowing::Protocol(_) => Ok(()),
        Narrowing::Port { protocol, port } => Err(BlockError::Port { protocol, port }),
    }
}
