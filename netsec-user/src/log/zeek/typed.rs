//! What each kind of log adds to a row.

use std::borrow::Cow;
use std::net::IpAddr;

use super::super::decode::Malformed;
use super::conn::Conn;
use super::field::Field;
use super::row::Row;

/// What the kind of log adds.
#[derive(Clone, Debug, PartialEq)]
pub enum Detail<'a> {
    /// `conn.log`.
    Conn(Conn<'a>),
    /// `dns.log`.
    Dns(ZeekDns<'a>),
    /// `http.log`.
    Http(ZeekHttp<'a>),
    /// `ssl.log`.
    Ssl(ZeekSsl<'a>),
    /// `ssh.log`.
    Ssh(ZeekSsh<'a>),
    /// `notice.log`.
    Notice(Notice<'a>),
    /// `weird.log`.
    Weird(ZeekWeird<'a>),
    /// `capture_loss.log`.
    CaptureLoss(CaptureLoss<'a>),
    /// Any other log: its columns are in the row.
    Other,
}

/// A row of `dns.log`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZeekDns<'a> {
    /// Name that was asked for.
    pub query: Option<Cow<'a, str>>,
    /// Type that was asked for.
    pub qtype: Option<Cow<'a, str>>,
    /// Result, such as `NXDOMAIN`.
    pub rcode: Option<Cow<'a, str>>,
    /// Whether the server rejected it.
    pub rejected: Option<bool>,
}

/// A row of `http.log`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZeekHttp<'a> {
    /// Verb.
    pub method: Option<Cow<'a, str>>,
    /// Host header.
    pub host: Option<Cow<'a, str>>,
    /// Target.
    pub uri: Option<Cow<'a, str>>,
    /// User agent.
    pub user_agent: Option<Cow<'a, str>>,
    /// Status of the reply.
    pub status: Option<u64>,
}

/// A row of `ssl.log`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZeekSsl<'a> {
    /// Version, such as `TLSv12`.
    pub version: Option<Cow<'a, str>>,
    /// Name the client asked for.
    pub server_name: Option<Cow<'a, str>>,
    /// Whether the handshake was finished.
    pub established: Option<bool>,
    /// What is wrong with the certificate.
    pub validation: Option<Cow<'a, str>>,
}

/// A row of `ssh.log`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZeekSsh<'a> {
    /// Whether the login worked, as far as lengths tell.
    pub success: Option<bool>,
    /// Tries.
    pub attempts: Option<u64>,
    /// The client's banner.
    pub client: Option<Cow<'a, str>>,
    /// The server's banner.
    pub server: Option<Cow<'a, str>>,
}

/// A row of `notice.log`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice<'a> {
    /// Kind, such as `SSH::Password_Guessing`.
    pub note: Cow<'a, str>,
    /// In words.
    pub msg: Option<Cow<'a, str>>,
    /// More words.
    pub sub: Option<Cow<'a, str>>,
    /// Who it is about; may be set without a connection.
    pub src: Option<IpAddr>,
    /// Whom it was done to.
    pub dst: Option<IpAddr>,
    /// Port.
    pub port: Option<u16>,
}

/// A row of `weird.log`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZeekWeird<'a> {
    /// What was odd.
    pub name: Cow<'a, str>,
    /// More of it.
    pub addl: Option<Cow<'a, str>>,
}

/// A row of `capture_loss.log`.
#[derive(Clone, Debug, PartialEq)]
pub struct CaptureLoss<'a> {
    /// Which worker.
    pub peer: Option<Cow<'a, str>>,
    /// Gaps in what was acknowledged.
    pub gaps: Option<u64>,
    /// Acknowledgements.
    pub acks: Option<u64>,
    /// Share of packets that were not seen, percent, from 0 to 100.
    pub percent: Option<f64>,
}

impl<'a> Detail<'a> {
    pub(super) fn of(row: &Row<'a>, path: &str) -> Result<Self, Malformed> {
        Ok(match path {
            "conn" => Self::Conn(Conn::of(row)?),
            "dns" => Self::Dns(ZeekDns {
                query: row.text(Field::Query),
                qtype: row.text(Field::QtypeName),
                rcode: row.text(Field::RcodeName),
                rejected: row.flag(Field::Rejected)?,
            }),
            "http" => Self::Http(ZeekHttp {
                method: row.text(Field::Method),
                host: row.text(Field::Host),
                uri: row.text(Field::Uri),
                user_agent: row.text(Field::UserAgent),
                status: row.count(Field::StatusCode)?,
            }),
            "ssl" => Self::Ssl(ZeekSsl {
                version: row.text(Field::Version),
                server_name: row.text(Field::ServerName),
                established: row.flag(Field::Established)?,
                validation: row.text(Field::ValidationStatus),
            }),
            "ssh" => Self::Ssh(ZeekSsh {
                success: row.flag(Field::AuthSuccess)?,
                attempts: row.count(Field::AuthAttempts)?,
                client: row.text(Field::Client),
                server: row.text(Field::Server),
            }),
            "notice" => Self::Notice(Notice {
                note: row.text(Field::Note).ok_or(Malformed::Missing("note"))?,
                msg: row.text(Field::Msg),
                sub: row.text(Field::Sub),
                src: row.address(Field::Src)?,
                dst: row.address(Field::Dst)?,
                port: row.port(Field::P)?,
            }),
            "weird" => Self::Weird(ZeekWeird {
                name: row.text(Field::Name).ok_or(Malformed::Missing("name"))?,
                addl: row.text(Field::Addl),
            }),
            "capture_loss" => Self::CaptureLoss(CaptureLoss {
                peer: row.text(Field::Peer),
                gaps: row.count(Field::Gaps)?,
                acks: row.count(Field::Acks)?,
                percent: row.number(Field::PercentLost)?,
            }),
            _ => Self::Other,
        })
    }
}
