//! The block tables of several interfaces, as one.

use std::fmt;
use std::net::IpAddr;

use netsec_common::block::{BlockKey, Mode};

use crate::block::{Block, BlockError, BlockState, DeadMan, Enforcer, InForce, Inserted, Usage};
use crate::time::WallTime;

/// Writes every table, and adds up what their entries did.
#[derive(Default)]
pub struct Tables(Vec<Box<dyn Enforcer>>);

impl Tables {
    /// Adds the table of another interface.
    pub fn push(&mut self, table: impl Enforcer + 'static) {
        self.0.push(Box::new(table));
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn sum(states: impl Iterator<Item = BlockState>) -> Option<BlockState> {
        states.reduce(|mut sum, state| {
            sum.packets += state.packets;
            sum.bytes += state.bytes;
            sum.first = [sum.first, state.first].into_iter().flatten().min();
            sum.last = sum.last.max(state.last);
            sum
        })
    }
}

impl fmt::Debug for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tables").field(&self.0.len()).finish()
    }
}

impl Enforcer for Tables {
    fn insert(&mut self, block: &Block) -> Result<Inserted, BlockError> {
        let mut done = Inserted::New;
        for index in 0..self.0.len() {
            let Some(table) = self.0.get_mut(index) else {
                continue;
            };
            match table.insert(block) {
                Ok(Inserted::New) => {}
                Ok(Inserted::Replaced) => done = Inserted::Replaced,
                Err(error) => {
                    // On all interfaces or on none.
                    for table in self.0.iter_mut().take(index) {
                        table.remove(&block.key);
                    }
                    return Err(error);
                }
            }
        }
        Ok(done)
    }

    fn remove(&mut self, key: &BlockKey) -> Option<BlockState> {
        Self::sum(self.0.iter_mut().filter_map(|table| table.remove(key)))
    }

    /// The entry, if every table has it.
    fn get(&self, key: &BlockKey) -> Option<BlockState> {
        let states: Option<Vec<_>> = self.0.iter().map(|table| table.get(key)).collect();
        Self::sum(states?.into_iter())
    }

    /// Shows an entry once for each table that has it.
    fn visit(&self, visitor: &mut dyn FnMut(&BlockState)) {
        for table in &self.0 {
            table.visit(visitor);
        }
    }

    fn decisive(
        &self,
        source: IpAddr,
        protocol: Option<u8>,
        port: Option<u16>,
        now: WallTime,
    ) -> Option<BlockState> {
        let tables = self.0.iter();
        Self::sum(tables.filter_map(|table| table.decisive(source, protocol, port, now)))
    }

    fn visit_part(&self, part: usize, parts: usize, visitor: &mut dyn FnMut(&BlockState)) {
        for table in &self.0 {
            table.visit_part(part, parts, visitor);
        }
    }

    /// That of the fullest table.
    fn usage(&self) -> Usage {
        let all = self.0.iter().map(|table| table.usage());
        all.max_by_key(|usage| usage.entries).unwrap_or_default()
    }

    fn mode(&self) -> Mode {
        self.0.first().map(|table| table.mode()).unwrap_or_default()
    }

    fn set_mode(&mut self, mode: Mode) {
        for table in &mut self.0 {
            table.set_mode(mode);
        }
    }

    fn set_dead_man(&mut self, dead_man: DeadMan) {
        for table in &mut self.0 {
            table.set_dead_man(dead_man);
        }
    }

    fn dead_man(&self) -> DeadMan {
        let first = self.0.first();
        first.map(|table| table.dead_man()).unwrap_or_default()
    }

    fn heartbeat(&mut self, now: WallTime) {
        for table in &mut self.0 {
            table.heartbeat(now);
        }
    }

    fn in_force(&self, now: WallTime) -> InForce {
        let none = InForce {
            mode: Mode::Detect,
            silent: None,
        };
        self.0.first().map_or(none, |table| table.in_force(now))
    }

    fn set_drop_sampling(&mut self, n: u32) {
        for table in &mut self.0 {
            table.set_drop_sampling(n);
        }
    }
}
