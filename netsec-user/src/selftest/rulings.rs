//! Every way through the block table, on this kernel.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use netsec_common::block::{Action, BlockKey, List, Mode, Narrowing, OnSilence, Prefix};
use netsec_common::ledger::{Counter, Snapshot};
use netsec_common::packet::{Start, protocol};

use super::frame::Link;
use super::{Check, SelfTestError, engine_settings};
use crate::block::{Block, DeadMan, Enforcer as _, KernelEnforcer};
use crate::connection::tcp::SYN;
use crate::event::{FlowDelta, Sample, Sink};
use crate::hook::HookId;
use crate::source::engine::FrameEngine as _;
use crate::source::host::HostFrame;
use crate::source::kernel::KernelReplay;
use crate::time::WallTime;

/// `XDP_DROP`.
const DROP: u32 = 1;

/// Entries of the table: a few more than are made.
const CAPACITY: u32 = 64;

/// Some moment; the table's clock is the frames'.
const NOON: WallTime = WallTime::from_ns(1_700_000_000_000_000_000);

/// A packet, whether it has to be dropped, and the counter that has to say why.
type Try<'a> = (&'static str, &'a [u8], WallTime, bool, Option<Counter>);

/// Sends a packet down each way through the block table: one check for each, which passes when the
/// program's answer and the counter are right. `object` is netsec's eBPF object.
///
/// # Errors
///
/// When the program cannot be loaded, or the kernel refuses a frame.
pub fn rulings(object: &[u8]) -> Result<Vec<Check>, SelfTestError> {
    let (engine, maps) =
        KernelReplay::load_blocking(object, HookId(0), &engine_settings(), CAPACITY)?;
    let mut bench = Bench {
        engine,
        table: KernelEnforcer::new(maps),
        before: Snapshot::default(),
        checks: Vec::new(),
    };
    bench.table.set_mode(Mode::Enforce);
    bench.blocks()?;
    bench.rates()?;
    bench.exceptions()?;
    bench.modes()?;
    bench.silence()?;
    Ok(bench.checks)
}

/// The loaded program and its table, and what came of the packets so far.
struct Bench {
    engine: KernelReplay,
    table: KernelEnforcer,
    before: Snapshot,
    checks: Vec<Check>,
}

impl Bench {
    fn blocks(&mut self) -> Result<(), SelfTestError> {
        let (v4, v6) = (Link::default(), v6());
        let tagged = Link {
            vlan: Some(7),
            ..v4
        };
        let blocked = Some(Counter::DroppedByBlock);
        let ssh = Narrowing::Port {
            protocol: protocol::TCP,
            port: 22,
        };
        let udp = Narrowing::Protocol(protocol::UDP);
        for (link, address, length, narrowing) in [
            (v4, HOST, None, Narrowing::Any),
            (v6, HOST, None, Narrowing::Any),
            (v4, NET, Some(24), Narrowing::Any),
            (v6, NET, Some(120), Narrowing::Any),
            (v4, GUEST, None, ssh),
            (v4, TALKER, None, udp),
        ] {
            let address = link.address(address);
            self.put(List::Block, address, length, narrowing, Action::Drop);
        }
        let fragment = v4.later_fragment(v4.address(HOST), v4.address(OURS), 100);
        for (name, frame, is_dropped) in [
            ("drop.host.ipv4", syn(v4, HOST, 80), true),
            ("drop.host.ipv6", syn(v6, HOST, 80), true),
            ("drop.host.vlan", syn(tagged, HOST, 80), true),
            ("drop.host.fragment", fragment, true),
            ("drop.network.ipv4", syn(v4, [198, 51, 100, 77], 80), true),
            ("drop.network.ipv6", syn(v6, [198, 51, 100, 77], 80), true),
            ("drop.port", syn(v4, GUEST, 22), true),
            ("pass.other_port", syn(v4, GUEST, 80), false),
            ("drop.protocol", datagram(v4, TALKER), true),
            ("pass.other_protocol", syn(v4, TALKER, 80), false),
            ("pass.not_listed", syn(v4, STRANGER, 80), false),
        ] {
            let counter = blocked.filter(|_| is_dropped);
            self.send((name, &frame, NOON, is_dropped, counter))?;
        }
        Ok(())
    }

    fn rates(&mut self) -> Result<(), SelfTestError> {
        let v4 = Link::default();
        let slow = Action::RateLimit { packets_per_s: 1 };
        self.put(List::Block, v4.address(FAST), None, Narrowing::Any, slow);
        let frame = syn(v4, FAST, 80);
        let within = Some(Counter::PassedRateLimit);
        self.send(("pass.within_rate", &frame, NOON, false, within))?;
        let beyond = Some(Counter::DroppedByRateLimit);
        self.send(("drop.beyond_rate", &frame, NOON, true, beyond))
    }

    fn exceptions(&mut self) -> Result<(), SelfTestError> {
        let v4 = Link::default();
        let friend = [198, 51, 100, 5];
        self.put(
            List::Allow,
            v4.address(friend),
            None,
            Narrowing::Any,
            Action::Drop,
        );
        let allowed = Some(Counter::SavedByAllowlist);
        self.send(("pass.allowlist", &syn(v4, friend, 80), NOON, false, allowed))?;
        let local = [169, 254, 1, 1];
        self.put(
            List::Block,
            v4.address(local),
            Some(16),
            Narrowing::Any,
            Action::Drop,
        );
        let guarded = Some(Counter::SavedByGuard);
        self.send(("pass.guard", &syn(v4, local, 80), NOON, false, guarded))?;
        let (gone, end) = ([192, 0, 2, 99], NOON.plus(Duration::from_secs(1)));
        self.insert(&Block {
            until: Some(end),
            ..block(
                List::Block,
                v4.address(gone),
                None,
                Narrowing::Any,
                Action::Drop,
            )
        });
        let frame = syn(v4, gone, 80);
        let before = end.plus_ns(-1_000_000);
        let blocked = Some(Counter::DroppedByBlock);
        self.send(("drop.until_end", &frame, before, true, blocked))?;
        let expired = Some(Counter::ExpiredSeen);
        self.send(("pass.expired", &frame, end, false, expired))
    }

    fn modes(&mut self) -> Result<(), SelfTestError> {
        let frame = syn(Link::default(), HOST, 80);
        self.table.set_mode(Mode::DryRun);
        let would = Some(Counter::WouldDropByBlock);
        self.send(("pass.dry_run", &frame, NOON, false, would))?;
        self.table.set_mode(Mode::Detect);
        self.send(("pass.detect", &frame, NOON, false, None))?;
        self.table.set_mode(Mode::Enforce);
        Ok(())
    }

    /// What holds when the agent gives no sign of life.
    fn silence(&mut self) -> Result<(), SelfTestError> {
        let (v4, limit) = (Link::default(), Duration::from_secs(1));
        let late = NOON.plus(2 * limit);
        let (listed, other) = (syn(v4, HOST, 80), syn(v4, STRANGER, 80));
        let closed = Some(Counter::DroppedClosed);
        for (on_silence, attempt) in [
            (
                OnSilence::Static,
                (
                    "drop.silent_static",
                    &listed,
                    true,
                    Some(Counter::DroppedByBlock),
                ),
            ),
            (
                OnSilence::Open,
                (
                    "pass.silent_open",
                    &listed,
                    false,
                    Some(Counter::PassedOpen),
                ),
            ),
            (
                OnSilence::Closed,
                ("drop.silent_closed", &other, true, closed),
            ),
        ] {
            self.table.set_dead_man(DeadMan {
                limit: Some(limit),
                on_silence,
            });
            self.table.heartbeat(NOON);
            let (name, frame, is_dropped, counter) = attempt;
            self.send((name, frame, late, is_dropped, counter))?;
        }
        Ok(())
    }

    fn put(
        &mut self,
        list: List,
        address: IpAddr,
        length: Option<u8>,
        narrowing: Narrowing,
        action: Action,
    ) {
        self.insert(&block(list, address, length, narrowing, action));
    }

    /// A refusal is a check that fails.
    fn insert(&mut self, block: &Block) {
        if let Err(error) = self.table.insert(block) {
            self.checks.push(Check {
                name: "insert".to_owned(),
                passed: false,
                detail: format!("{}: {error}", block.key.prefix),
            });
        }
    }

    fn send(&mut self, attempt: Try<'_>) -> Result<(), SelfTestError> {
        let (name, bytes, time, is_dropped, counter) = attempt;
        let frame = HostFrame {
            time,
            start: Start::Ethernet,
            wire_bytes: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
            bytes,
        };
        let action = self.engine.send(&frame, &mut Nothing)?;
        let now = self.engine.ledger();
        let moved = now.since(&self.before);
        self.before = now;
        let counted = counter.is_none_or(|counter| moved.get(counter) == 1);
        let answered = action.is_some_and(|action| (action == DROP) == is_dropped);
        let answer = match action {
            Some(DROP) => "dropped",
            Some(_) => "passed",
            None => "not sent",
        };
        let why = match counter {
            Some(counter) if counted => format!(", counted as {}", counter.name()),
            Some(counter) => format!(", not counted as {}", counter.name()),
            None => String::new(),
        };
        self.checks.push(Check {
            name: name.to_owned(),
            passed: answered && counted,
            detail: format!("{answer}{why}"),
        });
        Ok(())
    }
}

const HOST: [u8; 4] = [192, 0, 2, 1];
const NET: [u8; 4] = [198, 51, 100, 0];
const GUEST: [u8; 4] = [192, 0, 2, 2];
const TALKER: [u8; 4] = [192, 0, 2, 3];
const FAST: [u8; 4] = [192, 0, 2, 4];
const STRANGER: [u8; 4] = [203, 0, 113, 9];
const OURS: [u8; 4] = [10, 9, 0, 1];

const fn v6() -> Link {
    Link {
        ipv6: true,
        vlan: None,
    }
}

fn syn(link: Link, source: [u8; 4], port: u16) -> Vec<u8> {
    let (from, to) = ends(link, source, port);
    link.tcp(from, to, SYN, 0)
}

fn datagram(link: Link, source: [u8; 4]) -> Vec<u8> {
    let (from, to) = ends(link, source, 9);
    link.udp(from, to, b"self-test")
}

fn ends(link: Link, source: [u8; 4], port: u16) -> (SocketAddr, SocketAddr) {
    (
        SocketAddr::new(link.address(source), 40_000),
        SocketAddr::new(link.address(OURS), port),
    )
}

fn block(
    list: List,
    address: IpAddr,
    length: Option<u8>,
    narrowing: Narrowing,
    action: Action,
) -> Block {
    let whole = if address.is_ipv4() { 32 } else { 128 };
    Block {
        key: BlockKey {
            list,
            prefix: Prefix::new(address, length.unwrap_or(whole))
                .unwrap_or_else(|| Prefix::host(address)),
            narrowing,
        },
        action,
        decision_id: 1,
        until: None,
    }
}

/// Flows and samples are of no interest here.
struct Nothing;

impl Sink for Nothing {
    fn sample(&mut self, _sample: Sample) {}

    fn flow(&mut self, _delta: &FlowDelta) {}
}
