//! A list, for others.

use std::io::{self, Write as _};

use anyhow::Result;
use netsec_user::api::wire::ListName;
use netsec_user::feed::{CrowdsecDecision, CrowdsecWriter};
use netsec_user::time::WallTime;

use super::{ExportArgs, ExportForm, all};

pub(super) fn export(list: ListName, args: &ExportArgs) -> Result<()> {
    let entries = all(list, &args.socket)?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    match args.format {
        ExportForm::Plain => {
            for entry in &entries {
                writeln!(out, "{}", entry.prefix)?;
            }
            out.flush()?;
        }
        ExportForm::Crowdsec => {
            let now = WallTime::now();
            let mut writer = CrowdsecWriter::new(out);
            // A limit or a single port is no ban.
            for entry in entries
                .iter()
                .filter(|e| e.action == "drop" && e.protocol.is_none())
            {
                let until = entry.until_ns.map(WallTime::from_ns);
                writer.write(&CrowdsecDecision {
                    id: entry.decision,
                    prefix: netsec_user::feed::prefix(&entry.prefix)?,
                    left: until.map(|until| until.since(now)),
                    origin: "netsec",
                    reason: &entry.reason,
                })?;
            }
            writer.finish()?;
        }
    }
    Ok(())
}
