mod errors;
mod meaning;
mod properties;
mod terminal;

use netsec_common::packet::{FlowKey, Vlan};

use super::Filter;

/// The filter, or a panic that shows what is wrong with it.
fn filter(expression: &str) -> Filter {
    Filter::parse(expression).unwrap_or_else(|error| panic!("{error}"))
}

/// A key from `10.0.0.1:5`-like endpoints.
fn key(protocol: u8, source: &str, destination: &str) -> FlowKey {
    tagged(protocol, source, destination, 0, 0)
}

fn tagged(protocol: u8, source: &str, destination: &str, outer: u16, inner: u16) -> FlowKey {
    FlowKey::from_endpoints(
        source.parse().unwrap(),
        destination.parse().unwrap(),
        protocol,
        Vlan { outer, inner },
    )
}
