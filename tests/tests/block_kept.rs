//! Blocks that hold when netsec is gone, and are taken over when it is back.

#![expect(clippy::unwrap_used, reason = "tests panic")]

use std::path::Path;

use netsec_common::block::{Action, BlockKey, List, Mode, Narrowing};
use netsec_tests::kernel;
use netsec_tests::netns::{Pair, wait_for};
use netsec_tests::wire::{FrameSocket, Udp};
use netsec_user::block::{Block, Enforcer as _, Inserted, KernelEnforcer};
use netsec_user::hook::HookId;
use netsec_user::source::kernel::{
    Attachment, BlockMaps, KernelEngine, KernelError, PinFolder, XdpMode,
};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

/// A sensor that keeps its blocks.
fn open(object: &[u8], folder: &PinFolder) -> (KernelEngine, KernelEnforcer, Attachment) {
    let source = folder.blocks(1_000).unwrap();
    let (mut engine, maps) =
        KernelEngine::load_blocking(object, HookId(0), &kernel::settings(), &source).unwrap();
    let interface = kernel::interface(Pair::RIGHT).unwrap();
    let attachment = engine
        .attach_kept(&interface, XdpMode::Auto, folder)
        .unwrap();
    (engine, KernelEnforcer::new(maps), attachment)
}

fn block() -> Block {
    Block {
        key: BlockKey {
            list: List::Block,
            prefix: "10.9.0.1".parse().unwrap(),
            narrowing: Narrowing::Any,
        },
        action: Action::Drop,
        decision_id: 42,
        until: None,
    }
}

#[test]
fn blocks_hold_without_netsec_and_are_taken_over() {
    let Some(object) = kernel::object().unwrap() else {
        return;
    };
    let pair = Pair::new().unwrap();
    pair.up_quietly().unwrap();
    let pair = &pair;
    let frame = Udp {
        source: 1,
        destination: 2,
        vlan: None,
        payload_bytes: 20,
    };
    let frame = frame.frame().unwrap();
    let send = |count: usize| {
        pair.left.run(|| {
            let socket = FrameSocket::open(Pair::LEFT)?;
            (0..count).try_for_each(|_| socket.send(&frame))
        })
    };
    let mounted = tempfile::tempdir().unwrap();
    pair.right
        .run(|| {
            // A BPF file system that nobody else sees and that goes with this thread.
            unshare(CloneFlags::CLONE_NEWNS)?;
            let private = MsFlags::MS_PRIVATE | MsFlags::MS_REC;
            mount::<str, _, str, str>(None, "/", None, private, None)?;
            mount::<_, _, _, str>(
                Some("bpf"),
                mounted.path(),
                Some("bpf"),
                MsFlags::empty(),
                None,
            )?;
            let path = mounted.path().join("netsec");
            holds_and_is_taken_over(object, &path, &send);
            Ok(())
        })
        .unwrap();
}

fn holds_and_is_taken_over(
    object: &[u8],
    path: &Path,
    send: &(dyn Fn(usize) -> anyhow::Result<()> + Sync),
) {
    let folder = PinFolder::open(path).unwrap();
    let (engine, mut enforcer, attachment) = open(object, &folder);
    enforcer.set_mode(Mode::Enforce);
    assert_eq!(enforcer.insert(&block()), Ok(Inserted::New));
    let dropped = |enforcer: &KernelEnforcer| enforcer.get(&block().key).unwrap().packets;
    send(5).unwrap();
    assert_eq!(dropped(&enforcer), 5);
    assert!(
        matches!(PinFolder::open(path), Err(KernelError::Pins { .. })),
        "one at a time"
    );

    drop((attachment, engine, enforcer, folder));
    send(5).unwrap();
    let read = KernelEnforcer::new(BlockMaps::open(path).unwrap().unwrap());
    assert_eq!(
        (dropped(&read), read.mode()),
        (10, Mode::Enforce),
        "nobody is there"
    );

    let folder = PinFolder::open(path).unwrap();
    let (engine, enforcer, attachment) = open(object, &folder);
    send(5).unwrap();
    assert_eq!((dropped(&enforcer), enforcer.usage().entries), (15, 1));
    assert_eq!(enforcer.get(&block().key).unwrap().block, block());

    // Nothing of the folder is left, and nothing on the interface.
    folder.clear().unwrap();
    drop((attachment, engine, enforcer));
    assert!(BlockMaps::open(path).unwrap().is_none());
    // The kernel lets go of what was pinned a grace period after the pin is gone.
    let is_free = || Ok(kernel::interface(Pair::RIGHT)?.xdp.is_none());
    wait_for("the interface to be free", is_free).unwrap();
}
