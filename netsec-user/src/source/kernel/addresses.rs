//! The host's own addresses and where its traffic leaves, through rtnetlink.

use std::net::IpAddr;

use futures_util::TryStreamExt as _;
use rtnetlink::packet_route::address::{AddressAttribute, AddressMessage};
use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteVia};
use rtnetlink::{Handle, RouteMessageBuilder};

use super::error::KernelError;

/// Addresses that belong to this host or that it cannot do without.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostAddresses {
    /// Its own, of all interfaces.
    pub own: Vec<IpAddr>,
    /// The broadcast addresses of its networks.
    pub broadcast: Vec<IpAddr>,
    /// The next hops of its default routes, in every routing table.
    pub gateways: Vec<IpAddr>,
}

impl HostAddresses {
    /// Asks the kernel about this network namespace.
    ///
    /// # Errors
    ///
    /// When it does not say.
    pub async fn find() -> Result<Self, KernelError> {
        let system = |reason: String| KernelError::System {
            what: "the host's addresses and routes",
            reason,
        };
        let (connection, handle, _) =
            rtnetlink::new_connection().map_err(|error| system(error.to_string()))?;
        let task = tokio::spawn(connection);
        let found = Self::ask(&handle).await;
        task.abort();
        found.map_err(|error| system(error.to_string()))
    }

    async fn ask(handle: &Handle) -> Result<Self, rtnetlink::Error> {
        let mut found = Self::default();
        let mut addresses = handle.address().get().execute();
        while let Some(message) = addresses.try_next().await? {
            found.take_address(&message);
        }
        for query in [
            RouteMessageBuilder::<std::net::Ipv4Addr>::new().build(),
            RouteMessageBuilder::<std::net::Ipv6Addr>::new().build(),
        ] {
            let mut routes = handle.route().get(query).execute();
            while let Some(route) = routes.try_next().await? {
                if is_default(&route) {
                    next_hops(&route.attributes, &mut found.gateways);
                }
            }
        }
        for list in [&mut found.own, &mut found.broadcast, &mut found.gateways] {
            list.sort_unstable();
            list.dedup();
        }
        Ok(found)
    }

    fn take_address(&mut self, message: &AddressMessage) {
        let (mut local, mut address) = (None, None);
        for attribute in &message.attributes {
            if let AddressAttribute::Local(own) = attribute {
                local = Some(*own);
            } else if let AddressAttribute::Address(own) = attribute {
                address = Some(*own);
            } else if let AddressAttribute::Broadcast(broadcast) = attribute {
                self.broadcast.push(IpAddr::V4(*broadcast));
            } else if let AddressAttribute::Anycast(own) = attribute {
                self.own.push(IpAddr::V6(*own));
            }
        }
        // On a point-to-point link `Address` is the other end's, and `Local` is there as well.
        self.own.extend(local.or(address));
    }
}

fn is_default(route: &RouteMessage) -> bool {
    let is_to_something = |attribute: &RouteAttribute| {
        if let RouteAttribute::Destination(RouteAddress::Inet(address)) = attribute {
            !address.is_unspecified()
        } else if let RouteAttribute::Destination(RouteAddress::Inet6(address)) = attribute {
            !address.is_unspecified()
        } else {
            false
        }
    };
    route.header.destination_prefix_length == 0 && !route.attributes.iter().any(is_to_something)
}

fn next_hops(attributes: &[RouteAttribute], gateways: &mut Vec<IpAddr>) {
    for attribute in attributes {
        if let RouteAttribute::MultiPath(hops) = attribute {
            for hop in hops {
                next_hops(&hop.attributes, gateways);
            }
        } else if let RouteAttribute::Gateway(RouteAddress::Inet(hop))
        | RouteAttribute::Via(RouteVia::Inet(hop)) = attribute
        {
            gateways.push(IpAddr::V4(*hop));
        } else if let RouteAttribute::Gateway(RouteAddress::Inet6(hop))
        | RouteAttribute::Via(RouteVia::Inet6(hop)) = attribute
        {
            gateways.push(IpAddr::V6(*hop));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_knows_loopback() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let found = runtime.block_on(HostAddresses::find()).unwrap();
        let loopback: IpAddr = "127.0.0.1".parse().unwrap();
        assert!(found.own.contains(&loopback), "{found:?}");
        assert!(!found.gateways.contains(&loopback), "{found:?}");
    }
}
