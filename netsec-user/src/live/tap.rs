//! Hooks in use: engines loaded and attached.

use super::LiveSettings;
use super::report::report;
use crate::block::{KernelEnforcer, OnExit};
use crate::decide::Tables;
use crate::hook::{Direction, Hook, HookId};
use crate::output::Output;
use crate::pipeline::Pipeline;
use crate::source::kernel::{
    Attachment, BlockSource, EgressAttachment, EgressMeans, Interface, KernelEngine, KernelError,
    PinFolder, XdpMode,
};

/// One hook in use.
#[derive(Debug)]
pub(super) struct Tap {
    pub(super) hook: HookId,
    pub(super) engine: KernelEngine,
    /// Where it is kept when netsec has gone.
    folder: Option<PinFolder>,
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
    let pins = settings.blocks.pins.join(&interface.name);
    if settings.blocks.on_exit == OnExit::Detach && pins.is_dir() {
        return Err(KernelError::Kept {
            interface: interface.name.clone(),
            folder: pins,
        });
    }
    let hook = pipeline.add_hook(Hook {
        interface: interface.name.clone(),
        direction: Direction::Ingress,
    });
    let folder = match settings.blocks.on_exit {
        OnExit::Detach => None,
        OnExit::Keep => Some(PinFolder::open(&pins)?),
    };
    let blocks = match &folder {
        None => BlockSource::New(settings.blocks.entries),
        Some(folder) => folder.blocks(settings.blocks.entries)?,
    };
    let (engine, blocks) = KernelEngine::load_blocking(object, hook, &settings.kernel, &blocks)?;
    tables.push(KernelEnforcer::new(blocks));
    Ok(Tap {
        hook,
        engine,
        folder,
        attachment: None,
    })
}

pub(super) fn attach_ingress(
    tap: &mut Tap,
    interface: &Interface,
    mode: XdpMode,
) -> Result<(), KernelError> {
    let attachment = match &tap.folder {
        None => tap.engine.attach(interface, mode)?,
        Some(folder) => tap.engine.attach_kept(interface, mode, folder)?,
    };
    report(interface, &tap.engine, &attachment);
    tap.attachment = Some(AnyAttachment::Ingress(attachment));
    Ok(())
}

pub(super) fn load_egress<O: Output>(
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
    let engine = KernelEngine::load_egress(object, hook, &settings.kernel, watched)?;
    Ok(Tap {
        hook,
        engine,
        folder: None,
        attachment: None,
    })
}

pub(super) fn attach_egress(tap: &mut Tap, interface: &Interface) -> Result<(), KernelError> {
    let attachment = tap.engine.attach_egress(interface)?;
    let means = match attachment.means {
        EgressMeans::Tcx => "TCX",
        EgressMeans::Clsact => "clsact, as this kernel has no TCX",
    };
    log::info!(
        "{}: egress attached by {means}; flow table {} MiB",
        interface.name,
        tap.engine.table_bytes() >> 20,
    );
    tap.attachment = Some(AnyAttachment::Egress(attachment));
    Ok(())
}
