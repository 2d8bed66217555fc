//! Busy networks, of which no host is busy.

use super::{any, outside, own};
use crate::connection::tcp::SYN;
use crate::selftest::traffic::{Talk, Traffic};

/// Two thousand clients a second for 150 servers of one network; one in ten gives up, or is a scanner.
pub(super) fn farm(traffic: &mut Traffic) {
    for n in 0..4000 {
        let host = u8::try_from(n % 150).unwrap();
        let (client, server) = (
            outside(traffic, n, own(n)),
            traffic.end([10, 9, 7, host], 443),
        );
        let seconds = f64::from(n) / 2000.0;
        if any(n, 10) == 0 {
            traffic.at(seconds, traffic.link.tcp(client, server, SYN, 0));
        } else {
            let talk = Talk {
                client,
                server,
                sent: 300 + any(n, 700) as usize,
                answered: 2000,
            };
            traffic.talk(seconds, talk);
        }
    }
}

/// Two hundred clients that open fifteen hundred connections a second, and get calls by UDP that nobody
/// answers: a stream of fifty packets a second for every second client.
pub(super) fn clients(traffic: &mut Traffic) {
    for n in 0..3000 {
        let host = u8::try_from(n % 200).unwrap();
        let client = traffic.end([10, 9, 8, host], own(n));
        let talk = Talk {
            client,
            server: outside(traffic, any(n, 900), 443),
            sent: 500,
            answered: 4000,
        };
        traffic.talk(f64::from(n) / 1500.0, talk);
    }
    for n in 0..10_000 {
        let host = u8::try_from(n % 100).unwrap() * 2;
        let from = outside(traffic, n % 100, 20_000);
        let to = traffic.end([10, 9, 8, host], 30_000);
        traffic.at(f64::from(n) / 5000.0, traffic.link.udp(from, to, &[0; 160]));
    }
}
