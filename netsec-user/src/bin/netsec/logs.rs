//! `netsec logs`.

use std::io::{self, BufWriter};
use std::ops::ControlFlow;

use anyhow::Result;
use clap::Args;
use netsec_user::log::{Event, EventDetail, Record, Value, Wanted};
use netsec_user::output::{RowWriter, protocol_name};

use crate::input::{InputArgs, RowsArg};

/// Arguments of `logs`.
#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// Where the rows are
    #[command(flatten)]
    input: InputArgs,
    /// Columns to show, with commas between, such as ts,id.orig_h,id.resp_p [default: all]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    fields: Vec<String>,
    /// Form of the output
    #[arg(short, long, value_name = "FORM", default_value = "table")]
    output: RowsArg,
    /// Stop after this many rows
    #[arg(short = 'c', long = "count", value_name = "N")]
    count: Option<std::num::NonZeroU64>,
}

pub(crate) fn logs(args: &LogsArgs) -> Result<()> {
    let out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let fields = (!args.fields.is_empty()).then(|| args.fields.clone());
    let mut rows = RowWriter::new(out, args.output.into(), fields);
    let mut left = args.count.map(u64::from);
    let read = args.input.read(Wanted::Everything, |_, record| {
        match record {
            Record::Zeek(zeek) => {
                let columns: Vec<_> = zeek.row.columns().collect();
                rows.row(&zeek.path(), &columns)?;
            }
            Record::Event(event) => rows.row(event.kind(), &event_columns(event))?,
        }
        left = left.map(|left| left.saturating_sub(1));
        Ok(if left == Some(0) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        })
    });
    rows.finish()?;
    read
}

/// What all of Suricata's records have, and a few words of what their type adds.
fn event_columns<'a>(event: &'a Event<'_>) -> Vec<(&'static str, Value<'a>)> {
    let text = |text: Option<&'a str>| text.map_or(Value::Unset, |text| Value::Text(text.into()));
    let address = |address: std::net::IpAddr| Value::Text(address.to_string().into());
    let mut columns = vec![
        ("ts", Value::Time(event.time)),
        ("event_type", text(Some(event.kind()))),
    ];
    columns.extend(event.tuple.into_iter().flat_map(|tuple| {
        [
            ("src_ip", address(tuple.source)),
            ("src_port", Value::Count(tuple.source_port.into())),
            ("dest_ip", address(tuple.destination)),
            ("dest_port", Value::Count(tuple.destination_port.into())),
        ]
    }));
    columns.push((
        "proto",
        event.protocol.map_or(Value::Unset, |number| {
            Value::Text(protocol_name(number).into())
        }),
    ));
    columns.push(("app_proto", text(event.app_proto.as_deref())));
    columns.push(("community_id", text(event.community_id.as_deref())));
    let told = match &event.detail {
        EventDetail::Alert(alert) => Some(&*alert.signature),
        EventDetail::Flow(flow) => flow.state.as_deref(),
        EventDetail::Drop(drop) => drop.reason.as_deref(),
        EventDetail::Anomaly(anomaly) => anomaly.event.as_deref(),
        EventDetail::Dns(dns) => {
            let first = dns
                .queries
                .first()
                .and_then(|query| query.rrname.as_deref());
            dns.rrname.as_deref().or(first)
        }
        EventDetail::Http(http) => http.hostname.as_deref(),
        EventDetail::Tls(tls) => tls.sni.as_deref(),
        EventDetail::Stats(_) => None,
    };
    columns.push(("detail", text(told)));
    columns
}
