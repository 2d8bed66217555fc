//! `netsec run`.

use std::fs;

use anyhow::{Context as _, Result};
use netsec_user::api::server::Server;
use netsec_user::block::ModeSetting;
use netsec_user::decide::{Book, Policy, Rules, State};
use netsec_user::live::{Live, LiveSettings};
use netsec_user::object;
use netsec_user::pipeline::Pipeline;
use netsec_user::settings::EngineSettings;
use netsec_user::source::kernel::{KernelError, KernelSettings};
use tokio::runtime::Builder;
use tokio::sync::mpsc;

use crate::args::{Cli, RunArgs};
use crate::correlation::state_directory;
use crate::exit::UsageError;
use crate::output;

/// Requests of the control socket that wait at a time.
const ASKS_MAX: usize = 64;

pub(crate) fn run(cli: &Cli, args: &RunArgs) -> Result<()> {
    let hash_keys = random_keys()?;
    let config = args.show.config.load()?;
    let traffic = args.show.model.traffic(&config.detect.anomaly, hash_keys)?;
    let site = args.correlate.site.over(&config.detect.home);
    let mut settings = output::settings(&args.show, config.detect, hash_keys)?;
    let rules = Rules::new(config.enforce, site.clone());
    settings.detect_inner = rules.is_empty();
    let policy = Policy {
        settings: config.decide,
    };
    let live = LiveSettings {
        interfaces: interfaces(args)?,
        mode: args.mode.into(),
        egress: !args.no_egress,
        kernel: kernel_settings(args, hash_keys),
        duration: args.duration,
        blocks: args.block.settings(config.block)?,
    };
    say_rules(&rules, live.blocks.mode, args.show.inner);
    let object = object::embedded().ok_or(KernelError::NoObject)?;
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(async {
        let mut pipeline = Pipeline::new(settings, output::open(cli, &args.show));
        pipeline.watch(traffic);
        let directory = state_directory(args.state.as_deref());
        let state = State::new(Book::open(Some(&directory)), policy);
        let correlate = &args.correlate;
        let feeds = match correlate.logs.as_slice() {
            [] => None,
            _ => Some(correlate.feeds(directory.is_dir().then_some(directory))?),
        };
        let (sender, asks) = mpsc::channel(ASKS_MAX);
        let server = Server::open(&args.block.socket)?;
        let mut live = Live::open(object, &live, state, asks, &mut pipeline).await?;
        pipeline.enforce(rules);
        // Without logs, too: `netsec why` shows what the detectors hold against an address.
        let correlator = correlate.correlator(site, args.show.community_id_seed);
        pipeline.correlate(correlator, Vec::new());
        if let Some(feeds) = feeds {
            live.follow(feeds);
        }
        let serving = tokio::spawn(server.serve(sender));
        let ran = live.run(&mut pipeline).await;
        serving.abort();
        // The socket's file goes with the task.
        drop(serving.await);
        ran?;
        output::conclude(&args.show, &pipeline)
    })
}

fn kernel_settings(args: &RunArgs, hash_keys: [u32; 10]) -> KernelSettings {
    KernelSettings {
        engine: EngineSettings {
            slots: args.flow_slots,
            sampling: output::sampling(&args.show),
            snap_bytes: args.show.snaplen,
            idle_timeout: args.show.idle_timeout,
            hash_keys,
            inner: args.show.inner,
        },
        records_ring_bytes: args.records_ring.unwrap_or_default() << 10,
        packets_ring_bytes: args.packets_ring.unwrap_or_default() << 10,
        kernel_log: args.kernel_log,
    }
}

/// Says what may lead to a block without a person.
fn say_rules(rules: &Rules, mode: ModeSetting, inner: bool) {
    if inner && !rules.is_empty() {
        log::info!("rules in [enforce]: detectors and logs are about the outermost packets only");
    }
    match (rules.is_empty(), mode) {
        (true, ModeSetting::Detect) => {}
        (true, _) => {
            log::info!("no rule in [enforce]: findings and alerts alert, and block nobody")
        }
        (false, ModeSetting::Detect) => {
            log::info!("mode detect: the rules in [enforce] block nobody; to block: --enforce");
        }
        (false, ModeSetting::DryRun) => log::info!("would block by {rules}"),
        (false, ModeSetting::Enforce) => log::info!("blocks by {rules}"),
    }
}

/// The interfaces asked for, each once; else that of the default route.
fn interfaces(args: &RunArgs) -> Result<Vec<String>> {
    let mut interfaces: Vec<String> = Vec::new();
    for name in &args.interfaces {
        if !interfaces.contains(name) {
            interfaces.push(name.clone());
        }
    }
    if interfaces.is_empty() {
        let name = default_interface().ok_or_else(|| {
            UsageError("there is no default route to pick an interface by; try: -i IF".to_owned())
        })?;
        log::info!("{name} has the default route; to watch another interface: -i IF");
        interfaces.push(name);
    }
    Ok(interfaces)
}

/// The interface that a command without `-i` is about.
pub(crate) fn default_interface() -> Option<String> {
    let routes = fs::read_to_string("/proc/net/route").unwrap_or_default();
    default_route(&routes).map(str::to_owned)
}

/// The interface of the IPv4 default route with the lowest metric, from `/proc/net/route`.
fn default_route(routes: &str) -> Option<&str> {
    routes
        .lines()
        .skip(1)
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let [name, destination, _, _, _, _, metric, mask, ..] = fields.as_slice() else {
                return None;
            };
            let is_default = *destination == "00000000" && *mask == "00000000";
            is_default.then_some((metric.parse::<u32>().ok()?, *name))
        })
        .min()
        .map(|(_, name)| name)
}

/// Hash keys that nobody outside can know.
fn random_keys() -> Result<[u32; 10]> {
    let mut keys = [0; 10];
    for key in &mut keys {
        *key = getrandom::u32().context("the kernel has no random numbers")?;
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_route_with_the_lowest_metric_wins() {
        let routes = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\n\
            wlan0\t00000000\t0100000A\t0003\t0\t0\t600\t00000000\t0\t0\t0\n\
            eth0\t00000000\t0100000A\t0003\t0\t0\t100\t00000000\t0\t0\t0\n\
            eth1\t0000000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
        assert_eq!(default_route(routes), Some("eth0"));
        assert_eq!(default_route("Iface\tDestination\n"), None);
    }
}
