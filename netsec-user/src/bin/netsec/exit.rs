//! Exit codes.

use std::io;
use std::process::ExitCode;

use netsec_user::anomaly::ScoreError;
use netsec_user::api::client::ClientError;
use netsec_user::config::ConfigError;
use netsec_user::doctor::Trouble;
use netsec_user::live::LiveError;
use netsec_user::log::LogError;
use netsec_user::replay::ReplayError;
use netsec_user::selftest::SelfTestError;
use netsec_user::source::kernel::KernelError;
use netsec_user::table::TableError;

/// Something failed that has no code of its own, or a capture ended early.
const FAILED: u8 = 1;
/// The arguments make no sense. clap uses it too.
const USAGE: u8 = 2;
/// The settings are wrong.
const CONFIG: u8 = 3;
/// A capability is missing.
const PRIVILEGE: u8 = 4;
/// The kernel or the network card refuses.
const KERNEL: u8 = 5;

/// No netsec is running that could be asked.
const NO_AGENT: u8 = 6;
/// Something was found that the operator wants to hear of.
const FOUND: u8 = 10;

/// An argument that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageError(pub(crate) String);

/// What `--fail-on` asks for is there.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Found(pub(crate) String);

/// What `doctor` found, in a sentence.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(crate) struct Unfit {
    pub(crate) text: String,
    /// The worse of the two, when both are there: no privilege helps against a kernel.
    pub(crate) trouble: Trouble,
}

/// Says what went wrong, and with which code to end. A reader that has gone is no failure.
pub(crate) fn code(done: anyhow::Result<()>) -> ExitCode {
    let Err(error) = done else {
        return ExitCode::SUCCESS;
    };
    if is_broken_pipe(&error) {
        return ExitCode::SUCCESS;
    }
    if let Some(Found(what)) = error.downcast_ref() {
        log::info!("{what}");
        return ExitCode::from(FOUND);
    }
    // A `KernelError` states its cause before its remedy; anyhow's chain would do it again after.
    let text = match (error.downcast_ref(), kernel_error(&error)) {
        (Some(frame @ ReplayError::Frame { .. }), _) => frame.to_string(),
        (_, Some(kernel)) => kernel.to_string(),
        (_, None) => format!("{error:#}"),
    };
    log::error!("{}", without_error_numbers(&text));
    if error.is::<UsageError>() {
        return ExitCode::from(USAGE);
    }
    if error.is::<ConfigError>() {
        return ExitCode::from(CONFIG);
    }
    if let Some(Unfit { trouble, .. }) = error.downcast_ref() {
        return ExitCode::from(match trouble {
            Trouble::Privilege => PRIVILEGE,
            Trouble::Kernel => KERNEL,
        });
    }
    if let Some(client) = error.downcast_ref() {
        return ExitCode::from(match client {
            ClientError::NoAgent { .. } => NO_AGENT,
            ClientError::Privilege { .. } => PRIVILEGE,
            ClientError::Refused(failure) if failure.kind == "privilege" => PRIVILEGE,
            ClientError::Refused(failure) if failure.kind == "malformed" => USAGE,
            ClientError::Refused(_) | ClientError::Broken(_) | ClientError::Version { .. } => {
                FAILED
            }
        });
    }
    ExitCode::from(match kernel_error(&error) {
        Some(KernelError::Privilege { .. }) => PRIVILEGE,
        Some(_) => KERNEL,
        None => FAILED,
    })
}

/// Leaves out the numbers that the standard library puts behind the system's own words, as in
/// `No such file or directory (os error 2)`.
pub(crate) fn without_error_numbers(text: &str) -> String {
    const OPENING: &str = " (os error ";
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(OPENING) {
        plain.push_str(before);
        rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
        rest = rest.strip_prefix(')').unwrap_or(rest);
    }
    plain.push_str(rest);
    plain
}

fn kernel_error(error: &anyhow::Error) -> Option<&KernelError> {
    if let Some(LiveError::Kernel(error)) = error.downcast_ref() {
        return Some(error);
    }
    if let Some(SelfTestError::Kernel(error) | SelfTestError::Replay(ReplayError::Kernel(error))) =
        error.downcast_ref()
    {
        return Some(error);
    }
    match error.downcast_ref() {
        Some(ReplayError::Kernel(error)) => return Some(error),
        Some(ReplayError::Frame { error, .. }) => return Some(error),
        _ => {}
    }
    error.downcast_ref()
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let broken = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    if let Some(LogError::Output(error)) = error.downcast_ref() {
        return broken(error);
    }
    if let Some(ScoreError::Table(TableError::Output(error))) = error.downcast_ref() {
        return broken(error);
    }
    let output = match (error.downcast_ref(), error.downcast_ref()) {
        (Some(LiveError::Output(error)), _) | (_, Some(ReplayError::Output(error))) => Some(error),
        _ => error.downcast_ref(),
    };
    output.is_some_and(broken)
}

#[cfg(test)]
mod tests {
    use super::without_error_numbers;

    #[test]
    fn error_numbers_are_left_out() {
        let text = "a: No such file (os error 2): b: full (os error 28)";
        assert_eq!(without_error_numbers(text), "a: No such file: b: full");
        assert_eq!(without_error_numbers("nothing to do"), "nothing to do");
    }
}
