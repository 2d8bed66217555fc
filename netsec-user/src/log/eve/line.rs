//! A line of EVE, as serde reads it.

use memchr::memchr2;
use serde::Deserialize;

use super::alert::{AlertFlowPart, AlertPart, Verdict};
use super::flow::{FlowPart, TcpPart};
use super::scalar::{Address, Protocol, Text, Time};
use super::stats::Stats;
use super::{Event, EventDetail, quick};
use crate::log::decode::{Ignored, Line, Malformed};
use crate::log::{Record, Tuple};

/// A packet that was dropped.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Drop<'a> {
    /// Length, bytes.
    pub len: Option<u32>,
    /// Why.
    #[serde(borrow, default)]
    pub reason: Option<Text<'a>>,
}

/// Something that is not as protocols have it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Anomaly<'a> {
    /// `decode`, `stream` or `applayer`.
    #[serde(rename = "type", borrow, default)]
    pub kind: Option<Text<'a>>,
    /// What it was.
    #[serde(borrow, default)]
    pub event: Option<Text<'a>>,
}

/// A DNS query or answer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Dns<'a> {
    /// `query`, `answer`, or since version 3 `request`, `response`.
    #[serde(rename = "type", borrow, default)]
    pub kind: Option<Text<'a>>,
    /// Name.
    #[serde(borrow, default)]
    pub rrname: Option<Text<'a>>,
    /// Type.
    #[serde(borrow, default)]
    pub rrtype: Option<Text<'a>>,
    /// Result.
    #[serde(borrow, default)]
    pub rcode: Option<Text<'a>>,
    /// Questions, since version 3.
    #[serde(borrow, default)]
    pub queries: Vec<DnsQuery<'a>>,
}

/// A question of DNS.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct DnsQuery<'a> {
    /// Name.
    #[serde(borrow, default)]
    pub rrname: Option<Text<'a>>,
    /// Type.
    #[serde(borrow, default)]
    pub rrtype: Option<Text<'a>>,
}

/// An HTTP transaction.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Http<'a> {
    /// Host.
    #[serde(borrow, default)]
    pub hostname: Option<Text<'a>>,
    /// Target.
    #[serde(borrow, default)]
    pub url: Option<Text<'a>>,
    /// Verb.
    #[serde(borrow, default)]
    pub http_method: Option<Text<'a>>,
    /// User agent.
    #[serde(borrow, default)]
    pub http_user_agent: Option<Text<'a>>,
    /// Status of the reply.
    pub status: Option<u32>,
}

/// A TLS handshake.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Tls<'a> {
    /// Name the client asked for.
    #[serde(borrow, default)]
    pub sni: Option<Text<'a>>,
    /// Version.
    #[serde(borrow, default)]
    pub version: Option<Text<'a>>,
    /// Subject of the certificate.
    #[serde(borrow, default)]
    pub subject: Option<Text<'a>>,
}

/// What every type has, and one field that the type names.
macro_rules! line {
    ($name:ident { $($(#[$attribute:meta])* $field:ident: $type:ty),* $(,)? }) => {
        #[derive(Debug, Deserialize)]
        struct $name<'a> {
            timestamp: Time,
            flow_id: Option<u64>,
            #[serde(borrow, default)]
            in_iface: Option<Text<'a>>,
            #[serde(borrow, default)]
            host: Option<Text<'a>>,
            src_ip: Option<Address>,
            src_port: Option<u16>,
            dest_ip: Option<Address>,
            dest_port: Option<u16>,
            proto: Option<Protocol>,
            icmp_type: Option<u8>,
            icmp_code: Option<u8>,
            #[serde(borrow, default)]
            community_id: Option<Text<'a>>,
            #[serde(borrow, default)]
            app_proto: Option<Text<'a>>,
            $($(#[$attribute])* $field: $type,)*
        }

        impl<'a> $name<'a> {
            /// Takes out what every type has.
            const fn head(&mut self) -> Head<'a> {
                Head {
                    timestamp: self.timestamp,
                    flow_id: self.flow_id,
                    in_iface: self.in_iface.take(),
                    host: self.host.take(),
                    ends: match (self.src_ip, self.dest_ip) {
                        (Some(source), Some(destination)) => Some((source, destination)),
                        _ => None,
                    },
                    ports: (self.src_port, self.dest_port),
                    icmp: (self.icmp_type, self.icmp_code),
                    protocol: match self.proto {
                        Some(Protocol(number)) => number,
                        None => None,
                    },
                    community_id: self.community_id.take(),
                    app_proto: self.app_proto.take(),
                }
            }
        }
    };
}

line!(AlertLine {
    #[serde(borrow)]
    alert: AlertPart<'a>,
    #[serde(borrow, default)]
    direction: Option<Text<'a>>,
    #[serde(borrow, default)]
    verdict: Option<Verdict<'a>>,
    flow: Option<AlertFlowPart>,
});
line!(FlowLine {
    #[serde(borrow)]
    flow: FlowPart<'a>,
    tcp: Option<TcpPart>,
});
line!(StatsLine { stats: Stats });
line!(DropLine { #[serde(borrow)] drop: Drop<'a>, });
line!(AnomalyLine { #[serde(borrow)] anomaly: Anomaly<'a>, });
line!(DnsLine { #[serde(borrow)] dns: Dns<'a>, });
line!(HttpLine { #[serde(borrow)] http: Http<'a>, });
line!(TlsLine { #[serde(borrow)] tls: Tls<'a>, });

/// Only the type.
#[derive(Debug, Deserialize)]
struct TypeOnly<'a> {
    #[serde(borrow)]
    event_type: Text<'a>,
}

/// What every type has.
struct Head<'a> {
    timestamp: Time,
    flow_id: Option<u64>,
    in_iface: Option<Text<'a>>,
    host: Option<Text<'a>>,
    ends: Option<(Address, Address)>,
    ports: (Option<u16>, Option<u16>),
    icmp: (Option<u8>, Option<u8>),
    protocol: Option<u8>,
    community_id: Option<Text<'a>>,
    app_proto: Option<Text<'a>>,
}

impl<'a> Head<'a> {
    fn with(self, detail: EventDetail<'a>) -> Line<'a> {
        let (source_port, destination_port) = match self.icmp {
            (Some(kind), Some(code)) => (kind.into(), code.into()),
            _ => (
                self.ports.0.unwrap_or_default(),
                self.ports.1.unwrap_or_default(),
            ),
        };
        let event = Event {
            flow_id: self.flow_id,
            in_iface: self.in_iface,
            host: self.host,
            tuple: self.ends.map(|(source, destination)| Tuple {
                source: source.0,
                source_port,
                destination: destination.0,
                destination_port,
                protocol: self.protocol,
            }),
            protocol: self.protocol,
            community_id: self.community_id,
            app_proto: self.app_proto,
            ..Event::new(self.timestamp.0, detail)
        };
        Line::Record(Record::Event(Box::new(event)))
    }
}

impl<'a> Event<'a> {
    /// Reads a line that names a type. `seems` is the type that a quick look found.
    pub(in super::super) fn parse(
        line: &'a [u8],
        seems: Option<&'a [u8]>,
    ) -> Result<Line<'a>, Malformed> {
        let known = seems.and_then(Kind::of);
        let Some(known) = known else {
            return Self::parse_by_type(line);
        };
        // The first `event_type` of a line may stand in an inner object: look again when its type
        // does not fit.
        known.parse(line).or_else(|reason| {
            let TypeOnly { event_type } = from_slice(line)?;
            if Kind::of(event_type.as_bytes()) == Some(known) {
                return Err(reason);
            }
            Self::parse_by_type(line)
        })
    }

    fn parse_by_type(line: &'a [u8]) -> Result<Line<'a>, Malformed> {
        let TypeOnly { event_type } = from_slice(line)?;
        match Kind::of(event_type.as_bytes()) {
            Some(known) => known.parse(line),
            None => Ok(Line::Ignored(Ignored::Unknown(event_type.0))),
        }
    }
}

/// The types that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Alert,
    Flow,
    Stats,
    Drop,
    Anomaly,
    Dns,
    Http,
    Tls,
}

impl Kind {
    const fn of(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"alert" => Self::Alert,
            b"flow" => Self::Flow,
            b"stats" => Self::Stats,
            b"drop" => Self::Drop,
            b"anomaly" => Self::Anomaly,
            b"dns" => Self::Dns,
            b"http" => Self::Http,
            b"tls" => Self::Tls,
            _ => return None,
        })
    }

    fn parse(self, line: &[u8]) -> Result<Line<'_>, Malformed> {
        Ok(match self {
            Self::Alert => {
                let mut line: AlertLine<'_> = from_slice(line)?;
                let head = line.head();
                let alert = line
                    .alert
                    .into_alert(line.direction, line.verdict, line.flow);
                head.with(EventDetail::Alert(Box::new(alert)))
            }
            Self::Flow => {
                let mut line: FlowLine<'_> = from_slice(line)?;
                let head = line.head();
                head.with(EventDetail::Flow(line.flow.into_flow(line.tcp)))
            }
            Self::Stats => {
                let mut line: StatsLine<'_> = from_slice(line)?;
                line.head().with(EventDetail::Stats(line.stats))
            }
            Self::Drop => {
                let mut line: DropLine<'_> = from_slice(line)?;
                line.head().with(EventDetail::Drop(line.drop))
            }
            Self::Anomaly => {
                let mut line: AnomalyLine<'_> = from_slice(line)?;
                line.head().with(EventDetail::Anomaly(line.anomaly))
            }
            Self::Dns => {
                let mut line: DnsLine<'_> = from_slice(line)?;
                line.head().with(EventDetail::Dns(line.dns))
            }
            Self::Http => {
                let mut line: HttpLine<'_> = from_slice(line)?;
                line.head().with(EventDetail::Http(line.http))
            }
            Self::Tls => {
                let mut line: TlsLine<'_> = from_slice(line)?;
                line.head().with(EventDetail::Tls(line.tls))
            }
        })
    }
}

fn from_slice<'a, T: Deserialize<'a>>(line: &'a [u8]) -> Result<T, Malformed> {
    // The quick way takes most lines; the other one knows all of JSON, and what is wrong with a line.
    match quick::from_line(line) {
        Some(read) => Ok(read),
        None => serde_json::from_slice(line).map_err(|error| Malformed::json(&error)),
    }
}

/// The text behind a key that ends at `at`, when it is plain: what `event_type` seems to be.
pub(in super::super) fn type_after(line: &[u8], at: usize) -> Option<&[u8]> {
    let value = line.get(at..)?.trim_ascii_start().strip_prefix(b":")?;
    let value = value.trim_ascii_start().strip_prefix(b"\"")?;
    let end = memchr2(b'"', b'\\', value)?;
    (*value.get(end)? == b'"').then(|| value.get(..end))?
}
