//! What the kernel says of an interface.

use std::fmt;

use futures_util::TryStreamExt as _;
use nix::net::if_::if_nameindex;
use rtnetlink::packet_route::link::{LinkAttribute, LinkXdp};

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
        let attributes = link_attributes(index)
            .await
            .map_err(|reason| KernelError::System {
                what: "the interface's state",
                reason,
            })?;
        let mut interface = Self {
            name: name.to_owned(),
            index,
            mtu: 0,
            xdp: None,
        };
        for attribute in attributes {
            if let LinkAttribute::Mtu(mtu) = attribute {
                interface.mtu = mtu;
            } else if let LinkAttribute::Xdp(xdp) = attribute {
                interface.xdp = attached(&xdp);
            }
        }
        Ok(interface)
    }
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

async fn link_attributes(index: u32) -> Result<Vec<LinkAttribute>, String> {
    let (connection, handle, _) = rtnetlink::new_connection().map_err(|error| error.to_string())?;
    let task = tokio::spawn(connection);
    let mut links = handle.link().get().match_index(index).execute();
    let link = links.try_next().await.map_err(|error| error.to_string());
    task.abort();
    Ok(link?.map(|link| link.attributes).unwrap_or_default())
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
