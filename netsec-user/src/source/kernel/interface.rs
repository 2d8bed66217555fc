//! What the kernel says of an interface.

use std::fmt;

use futures_util::TryStreamExt as _;
use nix::net::if_::if_nameindex;
use rtnetlink::packet_route::link::{
    LinkAttribute, LinkFlags, LinkHeader, LinkInfo, LinkLayerType, LinkMessage, LinkXdp,
};

use super::attach::XdpModeInUse;
use super::error::KernelError;

/// An interface, as it was when it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its index.
    pub index: u32,
    /// Largest packet it sends, bytes.
    pub mtu: u32,
    /// The XDP program on it.
    pub xdp: Option<XdpOnInterface>,
    /// Whether it is switched on.
    pub is_up: bool,
    /// Whether it could send right away: up, and with a carrier.
    pub is_running: bool,
    /// Whether its frames begin with an Ethernet header.
    pub is_ethernet: bool,
    /// What it is to the kernel when it is no hardware: `veth`, `bridge`, `loopback` and so on.
    pub kind: Option<String>,
    /// Its hardware address.
    pub address: Vec<u8>,
}

/// An XDP program attached to an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XdpOnInterface {
    /// The kernel's number for it.
    pub id: u32,
    /// Its name, up to 15 characters; empty when it has none or may not be asked.
    pub name: String,
    /// Where it runs.
    pub mode: XdpModeInUse,
}

impl fmt::Display for XdpOnInterface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.name.is_empty() {
            "?"
        } else {
            &self.name
        };
        write!(f, "\"{name}\" (id {}, {} mode)", self.id, self.mode)
    }
}

impl Interface {
    /// Looks an interface up in this network namespace.
    ///
    /// # Errors
    ///
    /// [`KernelError::NoSuchInterface`] with the names there are.
    pub async fn find(name: &str) -> Result<Self, KernelError> {
        let (index, candidates) = index_of(name)?;
        let Some(index) = index else {
            return Err(KernelError::NoSuchInterface {
                name: name.to_owned(),
                candidates,
            });
        };
        let link = link(index).await.map_err(|reason| KernelError::System {
            what: "the interface's state",
            reason,
        })?;
        let mut interface = Self::loopback(index);
        name.clone_into(&mut interface.name);
        interface.set_header(&link.header);
        for attribute in link.attributes {
            interface.set_attribute(attribute);
        }
        Ok(interface)
    }

    /// The loopback interface of a new network namespace.
    pub(super) fn loopback(index: u32) -> Self {
        Self {
            name: "lo".to_owned(),
            index,
            mtu: 0,
            xdp: None,
            is_up: false,
            is_running: false,
            is_ethernet: true,
            kind: Some("loopback".to_owned()),
            address: Vec::new(),
        }
    }

    fn set_header(&mut self, header: &LinkHeader) {
        let is_loopback = header.flags.contains(LinkFlags::Loopback);
        self.is_up = header.flags.contains(LinkFlags::Up);
        self.is_running = header.flags.contains(LinkFlags::LowerUp);
        // The kernel puts an empty Ethernet header in front of what goes over `lo`.
        self.is_ethernet = is_loopback || header.link_layer_type == LinkLayerType::Ether;
        self.kind = is_loopback.then(|| "loopback".to_owned());
    }

    fn set_attribute(&mut self, attribute: LinkAttribute) {
        if let LinkAttribute::Mtu(mtu) = attribute {
            self.mtu = mtu;
        } else if let LinkAttribute::Xdp(xdp) = attribute {
            self.xdp = attached(&xdp);
        } else if let LinkAttribute::Address(address) = attribute {
            self.address = address;
        } else if let LinkAttribute::LinkInfo(infos) = attribute {
            let kind = |info| {
                if let LinkInfo::Kind(kind) = info {
                    Some(kind.to_string())
                } else {
                    None
                }
            };
            self.kind = infos.into_iter().find_map(kind);
        }
    }
}

/// The names of all interfaces in this network namespace, sorted.
///
/// # Errors
///
/// When the kernel does not say.
pub fn interface_names() -> Result<Vec<String>, KernelError> {
    Ok(index_of("")?.1)
}

/// The interface's index, and the names of all interfaces.
fn index_of(name: &str) -> Result<(Option<u32>, Vec<String>), KernelError> {
    let all = if_nameindex().map_err(|error| KernelError::System {
        what: "the list of interfaces",
        reason: error.desc().to_owned(),
    })?;
    let mut names: Vec<String> = Vec::new();
    let mut index = None;
    for interface in &all {
        let this = interface.name().to_string_lossy();
        if this == name {
            index = Some(interface.index());
        }
        names.push(this.into_owned());
    }
    names.sort();
    Ok((index, names))
}

async fn link(index: u32) -> Result<LinkMessage, String> {
    let (connection, handle, _) = rtnetlink::new_connection().map_err(|error| error.to_string())?;
    let task = tokio::spawn(connection);
    let mut links = handle.link().get().match_index(index).execute();
    let link = links.try_next().await.map_err(|error| error.to_string());
    task.abort();
    Ok(link?.unwrap_or_default())
}

/// The program in an `IFLA_XDP` attribute.
fn attached(xdp: &[LinkXdp]) -> Option<XdpOnInterface> {
    let program = |attribute: &LinkXdp| {
        if let LinkXdp::DrvProgId(id) = attribute {
            Some((*id, XdpModeInUse::Native))
        } else if let LinkXdp::SkbProgId(id) = attribute {
            Some((*id, XdpModeInUse::Generic))
        } else if let LinkXdp::HwProgId(id) = attribute {
            Some((*id, XdpModeInUse::Hardware))
        } else {
            None
        }
    };
    let (id, mode) = xdp.iter().filter_map(program).find(|(id, _)| *id != 0)?;
    Some(XdpOnInterface {
        id,
        name: program_name(id),
        mode,
    })
}

fn program_name(id: u32) -> String {
    aya::programs::loaded_programs()
        .filter_map(Result::ok)
        .find(|program| program.id() == id)
        .and_then(|program| program.name_as_str().map(str::to_owned))
        .unwrap_or_default()
}
