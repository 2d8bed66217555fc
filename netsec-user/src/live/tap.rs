//! Hooks in use: engines loaded and attached.

use super::LiveSettings;
use super::report::report;
use crate::block::KernelEnforcer;
use crate::decide::Tables;
use crate::hook::{Direction, Hook, HookId};
use crate::output::Output;
use crate::pipeline::Pipeline;
use crate::source::kernel::{
    Attachment, BlockSource, EgressAttachment, EgressMeans, Interface, KernelEngine, KernelError,
    XdpMode,
};

/// One hook in use.
#[derive(Debug)]
pub(super) struct Tap {
    pub(super) hook: HookId,
    pub(super) engine: KernelEngine,
    /// Held until the end of the run.
    pub(super) attachment: Option<AnyAttachment>,
}

/// What keeps a program on its hook.
#[expect(dead_code, reason = "dropping it detaches")]
#[derive(Debug)]
pub(super) enum AnyAttachment {
    Ingress(Attachment),
    Egress(EgressAttachment),
}

pub(super) fn load_ingress<O: Output>(
    object: &[u8],
    settings: &LiveSettings,
    interface: &Interface,
    tables: &mut Tables,
    pipeline: &mut Pipeline<O>,
) -> Result<Tap, KernelError> {
    let hook = pipeline.add_hook(Hook {
        interface: interface.name.clone(),
        direction: Direction::Ingress,
    });
    let blocks = BlockSource::New(settings.block_entries);
    let (engine, blocks) = KernelEngine::load_blocking(object, hook, &settings.kernel, &blocks)?;
    tables.push(KernelEnforcer::new(blocks));
    Ok(Tap {
        hook,
        engine,
        attachment: None,
    })
}

pub(super) fn attach_ingress(
    tap: &mut Tap,
    interface: &Interface,
    mode: XdpMode,
) -> Result<(), KernelError> {
    let attachment = tap.engine.attach(interface, mode)?;
    report(interface, &tap.engine, &attachment);
    tap.attachment = Some(AnyAttachment::Ingress(attachment));
    Ok(())
}

pub(super) fn open_egress<O: Output>(
    object: &[u8],
    settings: &LiveSettings,
    interface: &Interface,
    watched: &[u32],
    pipeline: &mut Pipeline<O>,
) -> Result<Tap, KernelError> {
    let hook = pipeline.add_hook(Hook {
        interface: interface.name.clone(),
        direction: Direction::Egress,
    });
    let mut engine = KernelEngine::load_egress(object, hook, &settings.kernel, watched)?;
    let attachment = engine.attach_egress(interface)?;
    let means = match attachment.means {
        EgressMeans::Tcx => "TCX",
        EgressMeans::Clsact => "clsact, as this kernel has no TCX",
    };
    log::info!(
        "{}: egress attached by {means}; flow table {} MiB",
        interface.name,
        engine.table_bytes() >> 20,
    );
    Ok(Tap {
        hook,
        engine,
        attachment: Some(AnyAttachment::Egress(attachment)),
    })
}
