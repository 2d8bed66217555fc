//! The block tables at the start.

use crate::block::{BlockSettings, Enforcer as _};
use crate::decide::{Restored, State, Tables};
use crate::guard::gather;
use crate::time::WallTime;

/// Puts all that is wanted into the tables, before the first frame is seen.
pub(super) async fn fill(state: &mut State, tables: &mut Tables, settings: &BlockSettings) {
    let gathered = gather().await;
    for unknown in &gathered.unknown {
        log::warn!("the guard protects less than it should: {unknown}");
    }
    if let Some(trouble) = state.book.trouble() {
        log::warn!("{trouble}; blocks go on without it");
    }
    let now = WallTime::now();
    state.refresh(gathered.facts, tables);
    let mode = settings.mode.into();
    let Restored {
        restored,
        adopted,
        discarded,
    } = state.restore(tables, mode, now);
    if restored + adopted > 0 {
        log::info!("{restored} blocks restored from the journal, {adopted} found in the kernel");
    }
    if discarded > 0 {
        log::info!("{discarded} blocks were decided while nothing was dropped, and are discarded");
    }
    tables.heartbeat(now);
    tables.set_dead_man(settings.dead_man());
    tables.set_mode(mode);
    tables.set_drop_sampling(settings.drop_samples);
}
