//! One line for one connection record.

use std::fmt::Display;
use std::io::Write;

use netsec_common::packet::protocol;

use super::super::number::{Grouped, Si, Span};
use super::super::timestamp::TimeOfDay;
use super::super::tunnels::TunnelName;
use super::super::{community_id, endpoints};
use super::Text;
use super::line::Paint;
use super::packet::{icmp, letters};
use crate::connection::{Connection, EndCause, State};

/// TCP flags in the order in which a connection shows them.
const FLAGS: [(u8, char); 8] = [
    (0x02, 'S'),
    (0x10, 'A'),
    (0x08, 'P'),
    (0x01, 'F'),
    (0x04, 'R'),
    (0x20, 'U'),
    (0x40, 'E'),
    (0x80, 'C'),
];

impl<W: Write> Text<W> {
    pub(super) fn connection_line(
        &mut self,
        connection: &Connection,
        state: State,
        cause: EndCause,
    ) {
        self.line.word(Paint::Bold, "flow");
        self.line.word(Paint::Dim, TimeOfDay(connection.start, 1));
        self.interface(connection.hook);
        self.protocol(connection.key.protocol());
        let (originator, responder) = endpoints(&connection.key);
        self.pair(&originator.to_string(), &responder.to_string());
        self.line.right(
            Paint::Plain,
            6,
            Span(connection.end.since(connection.start)),
        );
        self.volumes(connection);
        if self.line.is_aligned() {
            self.short_end(connection, state, cause);
            return;
        }
        self.flags(connection);
        self.line.word(Paint::Plain, state_name(state));
        self.line.word(Paint::Plain, cause_name(cause));
        self.message(connection, 0);
        self.vlan(connection);
        if let Some(id) = community_id(self.sensor.community_seed, &connection.key) {
            self.line.word(Paint::Plain, id);
        }
    }

    /// For eyes on 120 columns: short words, and no identifier for other programs. What an ICMP
    /// message says stands where TCP has flags and state.
    fn short_end(&mut self, connection: &Connection, state: State, cause: EndCause) {
        if connection.key.is_icmp() {
            self.message(connection, 12);
        } else {
            self.flags(connection);
            self.line.cell(Paint::Plain, 6, short_state(state));
        }
        self.line.cell(cause_paint(cause), 6, short_cause(cause));
        self.vlan(connection);
    }

    /// `12 > 9 < 1.2 kB > 8.1 kB <`.
    fn volumes(&mut self, connection: &Connection) {
        let Connection {
            originator,
            responder,
            ..
        } = connection;
        let grouped = self.line.is_aligned();
        self.both_ways(
            5,
            count(originator.packets, grouped),
            count(responder.packets, grouped),
        );
        self.both_ways(7, Si::bytes(originator.bytes), Si::bytes(responder.bytes));
    }

    fn both_ways(&mut self, width: usize, there: impl Display, back: impl Display) {
        self.line.right(Paint::Plain, width, there);
        self.line.word(Paint::Dim, ">");
        self.line.right(Paint::Plain, width, back);
        self.line.word(Paint::Dim, "<");
    }

    /// TCP flags of both sides.
    fn flags(&mut self, connection: &Connection) {
        if connection.key.protocol() == protocol::TCP {
            let flags = connection.originator.tcp_flags | connection.responder.tcp_flags;
            let paint = if flags & 0x04 != 0 {
                Paint::Bad
            } else {
                Paint::Plain
            };
            self.line.cell(paint, 5, letters(flags, &FLAGS));
        } else if self.line.is_aligned() {
            self.line.cell(Paint::Plain, 5, "");
        }
    }

    /// What an ICMP message says, in a column of this many characters.
    fn message(&mut self, connection: &Connection, width: usize) {
        let key = &connection.key;
        if key.is_icmp() {
            let [_, kind] = key.source_port().to_be_bytes();
            let [_, code] = key.destination_port().to_be_bytes();
            icmp(&mut self.line, width, key.protocol(), kind, code);
        }
    }

    /// VLAN tags, and the tunnel.
    fn vlan(&mut self, connection: &Connection) {
        let vlan = connection.key.vlan();
        match (vlan.outer, vlan.inner) {
            (0, 0) => {}
            (outer, 0) => self.line.word(Paint::Plain, format_args!("vlan {outer}")),
            (outer, inner) => self
                .line
                .word(Paint::Plain, format_args!("vlan {outer}.{inner}")),
        }
        if let Some(tunnel) = connection.key.tunnel() {
            let name = TunnelName(tunnel);
            self.line.word(Paint::Notice, format_args!("in {name}"));
        }
    }
}

fn count(packets: u64, grouped: bool) -> String {
    if grouped {
        Grouped(packets).to_string()
    } else {
        packets.to_string()
    }
}

const fn state_name(state: State) -> &'static str {
    match state {
        State::New => "new",
        State::Established => "established",
        State::Closed => "closed",
    }
}

const fn short_state(state: State) -> &'static str {
    match state {
        State::New => "new",
        State::Established => "est",
        State::Closed => "closed",
    }
}

const fn cause_name(cause: EndCause) -> &'static str {
    match cause {
        EndCause::Closed => "finished",
        EndCause::IdleTimeout => "idle-timeout",
        EndCause::ActiveTimeout => "active-timeout",
        EndCause::TcpReuse => "tcp-reuse",
        EndCause::TableFull => "table-full",
        EndCause::Shutdown => "shutdown",
    }
}

const fn short_cause(cause: EndCause) -> &'static str {
    match cause {
        EndCause::Closed => "end",
        EndCause::IdleTimeout => "idle",
        EndCause::ActiveTimeout => "active",
        EndCause::TcpReuse => "reuse",
        EndCause::TableFull => "full",
        EndCause::Shutdown => "exit",
    }
}

const fn cause_paint(cause: EndCause) -> Paint {
    match cause {
        EndCause::Closed | EndCause::IdleTimeout | EndCause::ActiveTimeout | EndCause::Shutdown => {
            Paint::Dim
        }
        EndCause::TcpReuse => Paint::Plain,
        EndCause::TableFull => Paint::Bad,
    }
}
