//! What decisions rest on.

use netsec_common::block::Mode;

use crate::block::Enforcer;
use crate::decide::book::{Book, Restored};
use crate::decide::policy::{Caps, Policy};
use crate::guard::{Facts, Guard, Protected};
use crate::time::WallTime;

/// What decisions rest on, for as long as the sensor runs.
#[derive(Debug)]
pub struct State {
    /// What is wanted, and the record of it.
    pub book: Book,
    /// What is never blocked.
    pub guard: Guard,
    /// What the guard was last told of this machine.
    pub facts: Facts,
    /// How often the allowlist had changed when the guard was last told of it.
    guard_as_of: u64,
    /// How long, and how many.
    pub policy: Policy,
    /// Automatic blocks so far.
    pub caps: Caps,
}

impl State {
    /// Nothing decided yet but what the book says.
    #[must_use]
    pub fn new(book: Book, policy: Policy) -> Self {
        let facts = Facts::default();
        Self {
            guard: Guard::new(&facts, book.allowed()),
            guard_as_of: book.allow_changes(),
            facts,
            book,
            policy,
            caps: Caps::default(),
        }
    }

    /// Brings the table and the journal together at the start; see [`Book::restore`]. Automatic blocks of the
    /// last minute count for the cap whoever made them.
    pub fn restore(&mut self, table: &mut dyn Enforcer, mode: Mode, now: WallTime) -> Restored {
        let limit = self.policy.settings.automatic_per_minute;
        self.caps = Caps::after(self.book.automatic_lately(now, limit));
        self.book.restore(table, mode, now)
    }

    /// Tells the guard of this machine and of the allowlist as they are, and the kernel of the guard.
    pub fn refresh(&mut self, facts: Facts, table: &mut dyn Enforcer) {
        if facts != self.facts {
            self.facts = facts;
            self.tell_guard();
        }
        self.heed_allowlist();
        let facts = self.guard.protected();
        // What the operator allows is in the table for its own sake.
        let protected = facts.filter(|(_, why)| *why != Protected::Allowed);
        let prefixes = protected.map(|(prefix, _)| prefix);
        self.book.protect(table, prefixes);
    }

    /// Tells the guard of the allowlist if that has changed since: for a long one it takes a while, so that
    /// it is done when the guard is about to be asked.
    pub fn heed_allowlist(&mut self) {
        if self.guard_as_of != self.book.allow_changes() {
            self.tell_guard();
        }
    }

    fn tell_guard(&mut self) {
        self.guard = Guard::new(&self.facts, self.book.allowed());
        self.guard_as_of = self.book.allow_changes();
    }
}
