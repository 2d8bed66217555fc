//! One line for one packet.

use std::io::Write;

use netsec_common::packet::{Tunnel, protocol};

use super::super::Endpoint;
use super::super::timestamp::TimeOfDay;
use super::super::tunnels::TunnelName;
use super::Text;
use super::line::{Line, Paint};
use crate::event::Sample;
use crate::packet::dns::Message;
use crate::packet::names;
use crate::packet::{Arp, Content, Fragment, Internet, Link, Outer, PacketView, Transport};

/// Width of the protocol column: `ICMPv6`.
pub(super) const PROTOCOL_WIDTH: usize = 6;

/// TCP flags in the order of their bits, as Scapy and tcpdump say them: `S`, `SA`, `PA`, `FA`.
const FLAGS: [(u8, char); 8] = [
    (0x01, 'F'),
    (0x02, 'S'),
    (0x04, 'R'),
    (0x08, 'P'),
    (0x10, 'A'),
    (0x20, 'U'),
    (0x40, 'E'),
    (0x80, 'C'),
];

impl<W: Write> Text<W> {
    pub(super) fn packet_line(&mut self, sample: &Sample, view: &PacketView) {
        self.line.word(Paint::Dim, TimeOfDay(sample.time, 6));
        self.interface(sample.hook);
        self.direction(sample.hook);
        match &view.content {
            Content::Ip(internet) => self.internet(internet),
            Content::Arp(arp) => self.arp(arp),
            Content::Other(name) => self.without_ip(*name, &view.link),
        }
        tags(&mut self.line, &view.link);
        if let Some(defect) = view.defect() {
            self.line.word(Paint::Bad, defect);
        }
        self.line
            .word(Paint::Dim, format_args!("{} B", view.wire_bytes));
        if let Some(decision) = sample.fate.decision_id() {
            let verb = if sample.fate.is_dropped() {
                "dropped"
            } else {
                "would be dropped"
            };
            let word = format_args!("{verb} by decision {decision}").to_string();
            self.line.word(Paint::Bad, word);
        }
        let mut outer = view.outer.as_deref();
        while let Some(Outer { tunnel, view }) = outer {
            self.carrier(*tunnel, view);
            outer = view.outer.as_deref();
        }
    }

    /// The tunnel that a packet was in, and between whom.
    fn carrier(&mut self, tunnel: Tunnel, view: &PacketView) {
        let name = TunnelName(tunnel);
        self.line.word(Paint::Notice, format_args!("in {name}"));
        if let Some(internet) = view.internet() {
            let (source, destination) = (internet.source, internet.destination);
            self.line
                .word(Paint::Dim, format_args!("{source} > {destination}"));
        }
        tags(&mut self.line, &view.link);
    }

    fn internet(&mut self, internet: &Internet) {
        self.protocol(internet.protocol);
        let ports = match internet.transport {
            Transport::Tcp { ports, .. } => Some(ports),
            Transport::Ports(source, destination) => Some((source, destination)),
            Transport::Icmp(..) | Transport::None => None,
        };
        let end = |address, port| Endpoint { address, port }.to_string();
        self.pair(
            &end(internet.source, ports.map(|(source, _)| source)),
            &end(
                internet.destination,
                ports.map(|(_, destination)| destination),
            ),
        );
        match internet.transport {
            Transport::Tcp { flags, .. } => {
                let paint = flags_paint(flags);
                let letters = format_args!("[{}]", letters(flags, &FLAGS)).to_string();
                self.line.cell(paint, 5, letters);
            }
            Transport::Icmp(kind, code) => {
                icmp(&mut self.line, 0, internet.protocol, kind, code);
            }
            Transport::Ports(..) | Transport::None => {}
        }
        if let Some(fragment) = internet.fragment {
            self.fragment(fragment);
        }
        match (&internet.dns, internet.payload_bytes) {
            (Some(message), _) => self.dns(message),
            (None, Some(bytes)) => self.line.word(Paint::Plain, format_args!("len {bytes}")),
            (None, None) => {}
        }
    }

    /// The protocol's name, in its column.
    pub(super) fn protocol(&mut self, number: u8) {
        let paint = Paint::Protocol(number);
        match names::protocol(number) {
            // IANA's keyword is longer than the column.
            _ if number == protocol::ICMPV6 => self.line.cell(paint, PROTOCOL_WIDTH, "ICMPv6"),
            Some(name) => self.line.cell(paint, PROTOCOL_WIDTH, name),
            None => self
                .line
                .cell(paint, PROTOCOL_WIDTH, format_args!("ip-{number}")),
        }
    }

    fn fragment(&mut self, fragment: Fragment) {
        let Fragment {
            id,
            offset_bytes,
            more,
        } = fragment;
        let last = if more { "" } else { " last" };
        self.line.word(
            Paint::Notice,
            format_args!("fragment {id:#06x} at {offset_bytes}{last}"),
        );
    }

    fn dns(&mut self, message: &Message) {
        if message.response {
            let paint = if message.rcode == 0 {
                Paint::Good
            } else {
                Paint::Notice
            };
            self.line.word(Paint::Dim, "DNS");
            self.line.word(paint, names::rcode(message.rcode));
        } else {
            self.line.word(Paint::Dim, "DNS?");
        }
        if message.opcode != 0 {
            self.line
                .word(Paint::Notice, format_args!("opcode {}", message.opcode));
        }
        for question in &message.questions {
            self.line
                .word(Paint::Plain, names::record_type(question.kind));
            self.line.word(Paint::Name, &question.name);
        }
        let unread = usize::from(message.question_count).saturating_sub(message.questions.len());
        if unread != 0 {
            self.line
                .word(Paint::Dim, format_args!("(+{unread} not read)"));
        }
    }

    fn arp(&mut self, arp: &Arp) {
        self.line.cell(Paint::WithoutIp, PROTOCOL_WIDTH, "ARP");
        let (Arp { sender, target, .. }, line) = (arp, &mut self.line);
        match (arp.operation, names::arp_operation(arp.operation)) {
            (1, Some(name)) => line.word(
                Paint::Plain,
                format_args!("{name} {} tell {}", target.1, sender.1),
            ),
            (2, Some(name)) => {
                line.word(
                    Paint::Plain,
                    format_args!("{} {name} {}", sender.1, sender.0),
                );
            }
            (_, Some(name)) => line.word(
                Paint::Plain,
                format_args!("{name} {} from {}", target.0, sender.0),
            ),
            (number, None) => line.word(
                Paint::Notice,
                format_args!("operation {number} from {}", sender.0),
            ),
        }
    }

    fn without_ip(&mut self, name: Option<&'static str>, link: &Link) {
        match (name, link.ethertype) {
            (Some(name), _) => self.line.cell(Paint::WithoutIp, PROTOCOL_WIDTH, name),
            (None, Some(number)) => {
                self.line.cell(
                    Paint::WithoutIp,
                    PROTOCOL_WIDTH,
                    format_args!("{number:#06x}"),
                );
            }
            (None, None) => self.line.cell(Paint::WithoutIp, PROTOCOL_WIDTH, "frame"),
        }
        if let Some((source, destination)) = link.addresses {
            self.pair(&source.to_string(), &destination.to_string());
        }
    }
}

/// What the message says, or its numbers, in a column of this many characters.
pub(super) fn icmp(line: &mut Line, width: usize, protocol: u8, kind: u8, code: u8) {
    match names::icmp(protocol, kind, code) {
        Some(name) => line.cell(Paint::Plain, width, name),
        None => line.cell(
            Paint::Notice,
            width,
            format_args!("type {kind} code {code}"),
        ),
    }
}

/// The letters of the flags that are set, in the order of `alphabet`; `none` when none is.
pub(super) fn letters(flags: u8, alphabet: &[(u8, char)]) -> String {
    if flags == 0 {
        return "none".into();
    }
    let set = alphabet.iter().filter(|(bit, _)| flags & bit != 0);
    set.map(|(_, letter)| *letter).collect()
}

const fn flags_paint(flags: u8) -> Paint {
    match flags & 0x17 {
        0 => Paint::Bad,
        rst if rst & 0x04 != 0 => Paint::Bad,
        syn if syn & 0x02 != 0 => Paint::Good,
        fin if fin & 0x01 != 0 => Paint::Notice,
        _ => Paint::Dim,
    }
}

/// VLAN tags, and what carried the packet.
fn tags(line: &mut Line, link: &Link) {
    if !link.vlans.is_empty() {
        // A priority tag names no VLAN.
        let ids = link.vlans.iter().filter(|id| **id != 0).map(u16::to_string);
        let ids: Vec<String> = ids.collect();
        if !ids.is_empty() {
            line.word(Paint::Plain, format_args!("vlan {}", ids.join(".")));
        }
    }
    if let Some(carrier) = link.carrier {
        line.word(Paint::Dim, format_args!("via {}", carrier.name()));
    }
}
