//! The numbers of one connection.

use netsec_common::packet::protocol;

use super::catalogue::{COUNT, FEATURES, Name};
use super::history::History;
use super::window::{index, is_failure};
use crate::connection::{Activity, Side, tcp};
use crate::time::WallTime;

/// The values of all features; `knows` says that the warm-up is over.
pub(super) fn values(
    activity: &Activity,
    history: &History,
    now: WallTime,
    knows: bool,
) -> [f64; COUNT] {
    let mut values = Values([f64::NAN; COUNT]);
    values.connection(activity);
    values.surroundings(activity, history, index(now));
    if !knows {
        for (value, feature) in values.0.iter_mut().zip(&FEATURES) {
            if feature.needs_history {
                *value = f64::NAN;
            }
        }
    }
    values.0
}

struct Values([f64; COUNT]);

impl Values {
    fn set(&mut self, name: Name, value: f64) {
        if let Some(place) = self.0.get_mut(name as usize) {
            *place = value;
        }
    }

    fn flag(&mut self, name: Name, is_up: bool) {
        self.set(name, f64::from(u8::from(is_up)));
    }

    fn connection(&mut self, activity: &Activity) {
        let connection = &activity.connection;
        let (out, back) = (&connection.originator, &connection.responder);
        let duration = connection.end.since(connection.start).as_secs_f64();
        let packets = out.packets + back.packets;
        self.set(Name::Duration, duration);
        self.set(Name::PacketsOut, out.packets as f64);
        self.set(Name::PacketsIn, back.packets as f64);
        self.set(Name::BytesOut, out.bytes as f64);
        self.set(Name::BytesIn, back.bytes as f64);
        let share = out.bytes as f64 / (out.bytes + back.bytes) as f64;
        self.set(Name::BytesOutShare, share);
        self.set(Name::FrameBytesOut, mean_frame(out));
        self.set(Name::FrameBytesIn, mean_frame(back));
        if packets > 1 {
            self.set(Name::PacketGap, duration / (packets - 1) as f64);
        }
        let flags = out.tcp_flags | back.tcp_flags;
        if connection.key.protocol() == protocol::TCP {
            for (name, flag) in [
                (Name::FlagSyn, tcp::SYN),
                (Name::FlagFin, tcp::FIN),
                (Name::FlagRst, tcp::RST),
                (Name::FlagPsh, tcp::PSH),
                (Name::FlagUrg, tcp::URG),
            ] {
                self.flag(name, flags & flag != 0);
            }
        }
        self.flag(Name::Answered, back.packets > 0);
        self.flag(Name::Failed, activity.so_far().is_some_and(is_failure));
    }

    fn surroundings(&mut self, activity: &Activity, history: &History, window: i64) {
        let (key, start) = (&activity.connection.key, activity.connection.start);
        let known = history.of(key, start);
        self.set(Name::ServiceRarity, known.service_rarity);
        self.flag(Name::FirstContactNetwork, known.first_with_network);
        self.flag(Name::FirstService, known.first_with_service);
        if let Some(source) = known.source {
            let figures = source.figures(window);
            self.set(Name::SourceConnections, figures.connections);
            self.set(Name::SourceHosts, figures.hosts);
            self.set(Name::SourceServices, figures.services);
            self.set(Name::SourceFailedShare, figures.failed_share());
            self.set(Name::SourceNewPairs, figures.new_pairs);
            self.set(Name::SourceBytesOut, figures.bytes_out);
            self.set(Name::SourceBytesUsual, source.bytes_over_usual());
        }
        if let Some(pair) = known.pair {
            let figures = pair.figures(window);
            self.set(Name::PairConnections, figures.connections);
            self.set(Name::PairServices, figures.services);
            self.set(Name::PairFailedShare, figures.failed_share());
            self.set(Name::PairBytesOut, figures.bytes_out);
            self.set(Name::PairInterval, pair.interval());
            self.flag(Name::FirstContact, start <= pair.first);
        }
    }
}

fn mean_frame(side: &Side) -> f64 {
    match side.packets {
        0 => f64::NAN,
        packets => side.bytes as f64 / packets as f64,
    }
}
