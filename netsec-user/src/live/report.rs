//! What is said of an attachment.

use crate::source::kernel::{Attachment, Interface, KernelEngine};

/// Says what is attached, and loudly when it is not what was hoped for.
pub(super) fn report(interface: &Interface, engine: &KernelEngine, attachment: &Attachment) {
    log::info!(
        "{}: XDP attached in {} mode; flow table {} MiB",
        interface.name,
        attachment.mode,
        engine.table_bytes() >> 20,
    );
    if let Some(reason) = &attachment.fallback {
        log::warn!(
            "{}: native XDP is not to be had ({reason}): fell back to generic (skb) mode, which \
             costs more CPU per packet; to make this an error: --xdp-mode native",
            interface.name,
        );
    }
}
