//! Who answers: the running netsec, or what one has left in the kernel.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use netsec_user::api::client::{Client, ClientError};
use netsec_user::api::pinned::Pinned;
use netsec_user::api::wire::{Answer, Request};
use netsec_user::decide::{Book, Policy, State};
use netsec_user::guard::{Facts, gather, ssh_client};
use netsec_user::time::WallTime;
use tokio::runtime::Builder;

use super::SOCKET;
use crate::correlation::state_directory;
use crate::detach::KeptArgs;

/// Where to ask.
#[derive(Debug, Args)]
pub(crate) struct SocketArgs {
    /// Where the running netsec listens
    #[arg(long, value_name = "FILE", env = "NETSEC_SOCKET", default_value = SOCKET)]
    socket: PathBuf,
    #[command(flatten)]
    kept: KeptArgs,
    /// Where it keeps decisions [default: $STATE_DIRECTORY, else /var/lib/netsec]
    #[arg(long, value_name = "DIR", env = "NETSEC_STATE_DIR")]
    state: Option<PathBuf>,
}

impl SocketArgs {
    /// Connects to the running netsec; when none is, opens what one has left.
    pub(super) fn connect(&self) -> Result<Respondent> {
        let absent = match Client::connect(&self.socket) {
            Ok(client) => return Ok(Respondent::Agent(client)),
            Err(absent @ ClientError::NoAgent { .. }) => absent,
            Err(error) => return Err(error.into()),
        };
        let directory = state_directory(self.state.as_deref());
        let state = || State::new(Book::open(Some(&directory)), Policy::default());
        match Pinned::open(&self.kept.pins, state)? {
            Some(pinned) => Ok(Respondent::Kernel(Box::new(pinned))),
            None => Err(absent.into()),
        }
    }
}

/// Answers requests.
pub(super) enum Respondent {
    /// The running netsec.
    Agent(Client),
    /// What one has left in the kernel.
    Kernel(Box<Pinned>),
}

impl Respondent {
    /// Whether a netsec is running.
    pub(super) const fn is_agent(&self) -> bool {
        matches!(self, Self::Agent(_))
    }

    pub(super) fn ask(&mut self, request: &Request) -> Result<Answer> {
        match self {
            Self::Agent(client) => Ok(client.ask(request)?),
            Self::Kernel(pinned) => {
                let answer = pinned.ask(request, facts()?, WallTime::now());
                Ok(answer.map_err(ClientError::Refused)?)
            }
        }
    }
}

/// What must not be blocked, as it is now.
fn facts() -> Result<Facts> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("cannot start the runtime")?;
    let mut facts = runtime.block_on(gather()).facts;
    let client = std::env::var("SSH_CONNECTION");
    facts
        .ssh_peers
        .extend(client.ok().as_deref().and_then(ssh_client));
    Ok(facts)
}
