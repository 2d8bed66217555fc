//! `netsec doctor`.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;
use netsec_common::flow::FIXED_HASH_KEYS;
use netsec_common::sample::Sampling;
use netsec_user::doctor::{
    Check, DoctorSettings, Status, Trouble, examine, write_json_lines, write_text,
};
use netsec_user::object;
use netsec_user::settings::EngineSettings;
use netsec_user::source::kernel::{KernelSettings, interface_names};
use tokio::runtime::Builder;

use crate::args::{Cli, FLOW_SLOTS, Form};
use crate::exit::{Unfit, without_error_numbers};
use crate::{output, run};

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Interface to look at; may be given several times; `all` for every one but loopback [default:
    /// that of the default route]
    #[arg(short, long = "interface", value_name = "IF")]
    interfaces: Vec<String>,
    /// Attach to the interfaces for a moment (some drivers reset the link at that)
    #[arg(long)]
    try_attach: bool,
    /// Form of the output: text for people, jsonl (an object for each check) for programs
    #[arg(short, long, value_name = "FORM", default_value = "text")]
    output: Form,
}

pub(crate) fn doctor(cli: &Cli, args: &DoctorArgs) -> Result<()> {
    let settings = DoctorSettings {
        interfaces: interfaces(args)?,
        try_attach: args.try_attach,
        kernel: kernel_settings(),
    };
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let mut checks = runtime.block_on(examine(object::embedded(), &settings));
    for check in &mut checks {
        check.detail = without_error_numbers(&check.detail);
    }

    let mut out = io::stdout().lock();
    match args.output {
        Form::Text => {
            let colour = output::colour(cli, out.is_terminal());
            write_text(&mut out, &checks, colour)?;
        }
        Form::Jsonl => write_json_lines(&mut out, &checks)?,
    }
    out.flush()?;
    conclude(&checks)
}

/// The interfaces asked for, each once; else that of the default route, if there is one.
fn interfaces(args: &DoctorArgs) -> Result<Vec<String>> {
    let mut interfaces: Vec<String> = Vec::new();
    for name in &args.interfaces {
        let names = if name == "all" {
            let mut all = interface_names()?;
            all.retain(|name| name != "lo");
            all
        } else {
            vec![name.clone()]
        };
        for name in names {
            if !interfaces.contains(&name) {
                interfaces.push(name);
            }
        }
    }
    if args.interfaces.is_empty() {
        interfaces.extend(run::default_interface());
        if interfaces.is_empty() {
            log::warn!(
                "no interface looked at: there is no default route to pick one by; try: -i IF"
            );
        }
    }
    Ok(interfaces)
}

/// What `netsec run` loads without options.
const fn kernel_settings() -> KernelSettings {
    KernelSettings {
        engine: EngineSettings {
            slots: FLOW_SLOTS,
            sampling: Sampling::Off,
            snap_bytes: 0,
            idle_timeout: Duration::ZERO,
            hash_keys: FIXED_HASH_KEYS,
            inner: false,
        },
        records_ring_bytes: 0,
        packets_ring_bytes: 0,
        kernel_log: false,
    }
}

/// The last word, and with it the exit code.
fn conclude(checks: &[Check]) -> Result<()> {
    let count = |wanted: fn(Status) -> bool| checks.iter().filter(|c| wanted(c.status)).count();
    let warnings = count(|status| status == Status::Warn);
    let warned = match warnings {
        0 => String::new(),
        1 => ", 1 warning".to_owned(),
        _ => format!(", {warnings} warnings"),
    };
    let kernel = count(|status| status == Status::Fail(Trouble::Kernel));
    let privilege = count(|status| status == Status::Fail(Trouble::Privilege));
    let trouble = match (kernel, privilege) {
        (0, 0) => {
            log::info!("ready{warned}");
            return Ok(());
        }
        (0, _) => Trouble::Privilege,
        _ => Trouble::Kernel,
    };
    let failures = match kernel + privilege {
        1 => "1 failure".to_owned(),
        several => format!("{several} failures"),
    };
    Err(Unfit {
        text: format!("not ready: {failures}{warned}"),
        trouble,
    }
    .into())
}
