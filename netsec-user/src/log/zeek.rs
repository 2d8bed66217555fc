//! Zeek's logs: tab-separated with a header, or JSON Lines; one record type for both.

mod conn;
mod field;
mod json;
mod row;
mod schema;
mod typed;
mod value;

use std::borrow::Cow;

pub use self::conn::{Conn, ConnState};
pub use self::field::Field;
pub use self::row::Row;
pub use self::schema::Schema;
pub use self::typed::{
    CaptureLoss, Detail, Notice, ZeekDns, ZeekHttp, ZeekSsh, ZeekSsl, ZeekWeird,
};
pub use self::value::Value;

pub(super) use self::json::parse as parse_json;
pub(super) use self::schema::{Directive, looks_like_names};

use super::Tuple;
use super::decode::Malformed;
use crate::time::WallTime;

/// A row of one of Zeek's logs.
#[derive(Debug)]
pub struct Zeek<'a> {
    /// `ts`: for a connection its first packet.
    pub time: WallTime,
    /// Zeek's name for the connection.
    pub uid: Option<Cow<'a, str>>,
    /// `id.*`: originator and responder.
    pub tuple: Option<Tuple>,
    /// `community_id`, where the policy script is loaded.
    pub community_id: Option<Cow<'a, str>>,
    /// What the kind of log adds.
    pub detail: Detail<'a>,
    /// All columns.
    pub row: Row<'a>,
}

impl<'a> Zeek<'a> {
    /// Reads the columns that every log has, and those of the kinds that are typed.
    pub(super) fn new(row: Row<'a>) -> Result<Self, Malformed> {
        let time = row.time(Field::Ts)?.ok_or(Malformed::NoTime)?;
        let (tuple, detail) = {
            let path = row.path();
            (tuple(&row, &path)?, Detail::of(&row, &path)?)
        };
        Ok(Self {
            time,
            uid: row.text(Field::Uid),
            tuple,
            community_id: row.text(Field::CommunityId),
            detail,
            row,
        })
    }

    /// The log's name, such as `conn`.
    #[must_use]
    pub fn path(&self) -> Cow<'_, str> {
        self.row.path()
    }
}

fn tuple(row: &Row<'_>, path: &str) -> Result<Option<Tuple>, Malformed> {
    let ends = (row.address(Field::OrigH)?, row.address(Field::RespH)?);
    let (Some(source), Some(destination)) = ends else {
        return Ok(None);
    };
    let number = |name: &[u8]| match name {
        b"tcp" => Some(6),
        b"udp" => Some(17),
        _ => super::tuple::protocol_number(str::from_utf8(name).ok()?),
    };
    let protocol = match row.with_bytes(Field::Proto, number) {
        // Zeek says `icmp` for both versions.
        Some(Some(1)) if source.is_ipv6() => Some(58),
        Some(known) => known,
        None => transport_of(path),
    };
    Ok(Some(Tuple {
        source,
        source_port: row.port(Field::OrigP)?.unwrap_or_default(),
        destination,
        destination_port: row.port(Field::RespP)?.unwrap_or_default(),
        protocol,
    }))
}

/// The transport of logs that have no `proto` because there is one only.
fn transport_of(path: &str) -> Option<u8> {
    const TCP: [&str; 16] = [
        "conn_tcp",
        "dce_rpc",
        "ftp",
        "http",
        "irc",
        "ldap",
        "modbus",
        "mysql",
        "ntlm",
        "postgresql",
        "rdp",
        "smb_files",
        "smb_mapping",
        "smtp",
        "ssh",
        "ssl",
    ];
    const UDP: [&str; 3] = ["dhcp", "ntp", "snmp"];
    if TCP.contains(&path) {
        Some(6)
    } else {
        UDP.contains(&path).then_some(17)
    }
}
