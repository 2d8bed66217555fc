//! What stands at the right end.

use std::fmt;
use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use aya::programs::XdpMode as AyaMode;
use aya::programs::xdp::XdpLinkId;
use netsec_common::block::Prefix;
use netsec_common::flow::FIXED_HASH_KEYS;
use netsec_common::ledger::{Class, Counter};
use netsec_common::sample::Sampling;
use netsec_tests::kernel;
use netsec_tests::netns::Pair;
use netsec_tests::running::Running;
use netsec_user::block::KernelEnforcer;
use netsec_user::hook::HookId;
use netsec_user::object;
use netsec_user::settings::EngineSettings;
use netsec_user::source::kernel::{
    Attachment, BlockSource, KernelEngine, KernelError, KernelSettings, XdpMode,
};
use nix::sys::signal::Signal;

use super::Wire;
use crate::block::enforcing;

/// A receiver's kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A program that drops everything.
    Drop,
    /// netsec's program with all the senders on its block list.
    Blocking,
    /// A program that passes everything: frames end in the stack.
    Pass,
    /// netsec's program, which passes everything; nobody reads.
    Attached,
    /// `netsec run` as it is by default.
    Run,
}

/// In the order in which they take turns.
pub(super) const ALL: [Kind; 5] = [
    Kind::Drop,
    Kind::Blocking,
    Kind::Pass,
    Kind::Attached,
    Kind::Run,
];

impl Kind {
    /// The bare program that does the same with the frames.
    pub(super) const fn bare(self) -> Self {
        match self {
            Self::Drop | Self::Blocking => Self::Drop,
            Self::Pass | Self::Attached | Self::Run => Self::Pass,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Drop => "bare drop",
            Self::Blocking => "netsec, all blocked",
            Self::Pass => "bare pass",
            Self::Attached => "netsec attached",
            Self::Run => "netsec run",
        })
    }
}

/// One that is in place.
pub(super) enum Receiver {
    Peer(&'static str, XdpLinkId),
    Attached(Box<KernelEngine>, Attachment),
    Blocking(Box<Enforcing>, Attachment),
    Run(Running),
}

/// netsec's program, and what holds its block table.
pub(super) struct Enforcing {
    engine: KernelEngine,
    _enforcer: KernelEnforcer,
}

impl Enforcing {
    fn load(senders: &[Ipv4Addr]) -> Result<Self> {
        let object = object::embedded().ok_or(KernelError::NoObject)?;
        let prefixes: Vec<Prefix> = senders
            .iter()
            .map(|sender| Prefix::host((*sender).into()))
            .collect();
        let entries = BlockSource::New(u32::try_from(prefixes.len())?);
        let (engine, maps) = KernelEngine::load_blocking(object, HookId(0), &settings(), &entries)?;
        let _enforcer = enforcing(maps, &prefixes)?;
        Ok(Self { engine, _enforcer })
    }
}

impl Receiver {
    /// Puts it in place.
    pub(super) fn start(kind: Kind, wire: &mut Wire) -> Result<Self> {
        let driver = &mut wire.driver;
        wire.pair.right.run(|| match kind {
            Kind::Drop | Kind::Pass => {
                let name = if kind == Kind::Drop { "sink" } else { "empty" };
                let program = driver.program_mut(name)?;
                let link = program.attach(Pair::RIGHT, AyaMode::Driver)?;
                Ok(Self::Peer(name, link))
            }
            Kind::Attached => {
                let object = object::embedded().ok_or(KernelError::NoObject)?;
                let mut engine = KernelEngine::load(object, HookId(0), &settings())?;
                let right = kernel::interface(Pair::RIGHT)?;
                let attachment = engine.attach(&right, XdpMode::Native)?;
                Ok(Self::Attached(Box::new(engine), attachment))
            }
            Kind::Blocking => {
                let mut enforcing = Enforcing::load(&wire.senders)?;
                let right = kernel::interface(Pair::RIGHT)?;
                let attachment = enforcing.engine.attach(&right, XdpMode::Native)?;
                Ok(Self::Blocking(Box::new(enforcing), attachment))
            }
            Kind::Run => Ok(Self::Run(agent(&[])?)),
        })
    }

    /// Takes it away. What netsec counted has to be what was sent: says so.
    pub(super) fn finish(self, wire: &mut Wire, sent: u64) -> Result<Option<String>> {
        match self {
            Self::Peer(name, link) => {
                wire.driver.program_mut(name)?.detach(link)?;
                Ok(None)
            }
            Self::Attached(engine, _attachment) => {
                let ledger = engine.ledger_exact();
                let counted = ledger.get(Counter::FlowPackets);
                ensure!(counted == sent, "{sent} frames sent, {counted} in flows");
                Ok(Some(format!(
                    "netsec attached: {sent} sent = {counted} in flows"
                )))
            }
            Self::Blocking(enforcing, _attachment) => {
                let dropped = enforcing.engine.ledger_exact().sum(Class::Dropped);
                ensure!(dropped == sent, "{sent} frames sent, {dropped} dropped");
                Ok(Some(format!(
                    "netsec, all blocked: {sent} sent = {dropped} dropped"
                )))
            }
            Self::Run(running) => ledger(running, sent).map(Some),
        }
    }
}

/// Starts `netsec run` on the right end, on the CPU that the frames leave free.
pub(super) fn agent(more: &[&str]) -> Result<Running> {
    kernel::stay_on_cpu(0)?;
    let mut arguments = vec!["run", "-i", Pair::RIGHT, "--no-egress", "--xdp-mode=native"];
    arguments.extend(more);
    let mut running = Running::start(&arguments)?;
    running.wait_attached(1)?;
    Ok(running)
}

/// Ends `netsec run` and reads its last words.
pub(super) fn ledger(running: Running, sent: u64) -> Result<String> {
    running.signal(Signal::SIGINT)?;
    let outcome = running.finish()?;
    let last = outcome
        .stdout
        .lines()
        .rfind(|line| line.starts_with("coverage"))
        .with_context(|| outcome.stderr.clone())?;
    let expected = format!("{sent} frames = {sent} in flows");
    ensure!(last.contains(&expected), "{sent} frames sent; {last}");
    Ok(format!("netsec run: {last}"))
}

fn settings() -> KernelSettings {
    KernelSettings {
        engine: EngineSettings {
            slots: 1 << 20,
            sampling: Sampling::FirstOfFlow(4),
            snap_bytes: 192,
            idle_timeout: Duration::from_secs(60),
            hash_keys: FIXED_HASH_KEYS,
            inner: false,
        },
        records_ring_bytes: 0,
        packets_ring_bytes: 0,
        kernel_log: false,
    }
}
