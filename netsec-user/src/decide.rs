//! What is blocked, for how long, and the record of it.
//!
//! Every change of the block table comes through a [`Desk`]: [`Desk::decide`] for what a detector
//! asks for, if [`Rules`] say that it is reason enough, [`Desk::block`] and the rest for what a person
//! does. Both pass the guard, are written to the
//! journal, put into the table, and read back from it.

mod book;
mod decided;
mod desk;
mod dropped;
mod policy;
mod rules;
mod tables;

pub use self::book::{Book, Drift, Restored, Standing, Verification};
pub use self::decided::{Decided, Deed};
pub use self::desk::{
    BlockRequest, Blocked, Desk, DeskError, Evidence, Imported, Proof, Ruling, State, Traffic,
};
pub use self::dropped::DroppedPackets;
pub use self::policy::{Caps, DecideSettings, Policy};
pub use self::rules::{EnforceSettings, Rules, Spared};
pub use self::tables::Tables;
