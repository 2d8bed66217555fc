//! `netsec hunt`.

use std::io::{self, BufWriter};
use std::ops::ControlFlow;

use anyhow::Result;
use clap::{Args, ValueEnum};
use netsec_user::correlate::{Contact, Outcome, SuspiciousPorts};
use netsec_user::log::{Value, Wanted};
use netsec_user::output::{RowWriter, protocol_name};

use crate::exit::Found;
use crate::input::{InputArgs, RowsArg, SiteArgs};

/// Arguments of `hunt`.
#[derive(Debug, Args)]
pub(crate) struct HuntArgs {
    /// Zeek's conn.log, EVE flow records, or netsec's own
    #[command(flatten)]
    input: InputArgs,
    /// Which addresses are your own
    #[command(flatten)]
    site: SiteArgs,
    /// Ports of responders that are suspicious, such as 4444,udp/53,6660-6669 [default: a built-in set]
    #[arg(long, value_name = "PORTS")]
    ports: Option<SuspiciousPorts>,
    /// Show tries that were refused or not answered, too
    #[arg(long)]
    attempts: bool,
    /// Form of the output
    #[arg(short, long, value_name = "FORM", default_value = "table")]
    output: RowsArg,
    /// Exit with 10 when there is a contact, or a try at one
    #[arg(long, value_name = "WHAT")]
    fail_on: Option<HuntFail>,
}

/// What makes the exit code 10.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum HuntFail {
    /// Both sides spoke
    Contact,
    /// A refused or unanswered try is enough
    Attempt,
}

pub(crate) fn hunt(args: &HuntArgs) -> Result<()> {
    let out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let mut rows = RowWriter::new(out, args.output.into(), None);
    let default = SuspiciousPorts::default();
    let ports = args.ports.as_ref().unwrap_or(&default);
    let site = args.site.site();
    let (mut looked_at, mut contacts, mut attempts) = (0_u64, 0_u64, 0_u64);
    let read = args.input.read(Wanted::Everything, |_, record| {
        let Some(contact) = Contact::of_record(record) else {
            return Ok(ControlFlow::Continue(()));
        };
        looked_at += 1;
        let Some(port) = ports.reason(&contact) else {
            return Ok(ControlFlow::Continue(()));
        };
        let is_contact = contact.outcome.is_contact();
        *(if is_contact {
            &mut contacts
        } else {
            &mut attempts
        }) += 1;
        if is_contact || args.attempts {
            let course = site
                .course(contact.tuple.source, contact.tuple.destination)
                .name();
            rows.row("hunt", &columns(&contact, course, &port.why))?;
        }
        Ok(ControlFlow::Continue(()))
    });
    rows.finish()?;
    log::info!(
        "{looked_at} connections: {contacts} contacts with suspicious ports, {attempts} attempts \
         without one{}",
        if args.attempts || attempts == 0 {
            ""
        } else {
            " (to see them: --attempts)"
        }
    );
    read?;
    let found = match args.fail_on {
        Some(HuntFail::Contact) => contacts,
        Some(HuntFail::Attempt) => contacts + attempts,
        None => 0,
    };
    if found > 0 {
        return Err(Found(format!("{contacts} contacts and {attempts} attempts")).into());
    }
    Ok(())
}

fn columns<'a>(
    contact: &'a Contact,
    course: &'static str,
    why: &'a str,
) -> [(&'static str, Value<'a>); 12] {
    let text = |text: &'a str| Value::Text(text.into());
    let Contact { tuple, outcome, .. } = contact;
    let state = match contact.state.as_str() {
        "" => Value::Unset,
        state => text(state),
    };
    [
        ("time", Value::Time(contact.time)),
        ("outcome", text(Outcome::name(*outcome))),
        ("course", text(course)),
        ("orig", Value::Text(tuple.source.to_string().into())),
        ("orig_port", Value::Count(tuple.source_port.into())),
        ("resp", Value::Text(tuple.destination.to_string().into())),
        ("resp_port", Value::Count(tuple.destination_port.into())),
        (
            "proto",
            tuple
                .protocol
                .map_or(Value::Unset, |n| Value::Text(protocol_name(n).into())),
        ),
        ("state", state),
        ("sent_bytes", Value::Count(contact.sent_bytes)),
        ("received_bytes", Value::Count(contact.received_bytes)),
        ("why", text(why)),
    ]
}
