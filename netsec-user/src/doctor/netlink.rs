//! Generic netlink: what the kernel tells everybody of a network device's driver.
//!
//! Message layout: `linux/netlink.h`, `linux/genetlink.h`; families `ethtool`
//! (`linux/ethtool_netlink.h`, Linux 5.7) and `netdev` (`linux/netdev.h`, Linux 6.3).

mod message;

use std::fs::File;
use std::io::{self, Read as _, Write as _};

use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};

use self::message::{Attributes, attribute, reply, request};

/// Room for the longest answer: the features of a device, by name.
const ANSWER_BYTES: usize = 1 << 16;

/// Receive queues of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Queues {
    /// In use.
    pub(super) count: u32,
    /// What the device could have.
    pub(super) max: u32,
    /// Whether they come in pairs with transmit queues, which `ethtool -L` calls `combined`.
    pub(super) are_combined: bool,
}

/// A socket to the kernel.
#[derive(Debug)]
pub(super) struct Netlink {
    socket: File,
}

impl Netlink {
    /// Opens a socket in this network namespace.
    ///
    /// # Errors
    ///
    /// The kernel's.
    pub(super) fn open() -> io::Result<Self> {
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::NetlinkGeneric,
        )?;
        Ok(Self {
            socket: File::from(socket),
        })
    }

    /// The names of the features that are on, as `ethtool -k` shows them.
    ///
    /// # Errors
    ///
    /// The kernel's: `ENOENT` when it was built without `CONFIG_ETHTOOL_NETLINK`.
    pub(super) fn features(&mut self, index: u32) -> io::Result<Vec<String>> {
        const FEATURES_GET: u8 = 11;
        const ACTIVE: u16 = 4;
        const BITSET_BITS: u16 = 3;
        const BIT: u16 = 1;
        const BIT_NAME: u16 = 2;
        let answer = self.ethtool(FEATURES_GET, index)?;
        let bits = Attributes(&answer)
            .find(ACTIVE)
            .and_then(|set| Attributes(set).find(BITSET_BITS))
            .unwrap_or_default();
        let name = |(kind, bit)| {
            let name = Attributes(bit).find(BIT_NAME).filter(|_| kind == BIT)?;
            let name = name.strip_suffix(&[0]).unwrap_or(name);
            Some(String::from_utf8_lossy(name).into_owned())
        };
        Ok(Attributes(bits).filter_map(name).collect())
    }

    /// The receive queues.
    ///
    /// # Errors
    ///
    /// The kernel's: `EOPNOTSUPP` when the driver does not say.
    pub(super) fn queues(&mut self, index: u32) -> io::Result<Queues> {
        const CHANNELS_GET: u8 = 17;
        let answer = self.ethtool(CHANNELS_GET, index)?;
        let number = |kind| Attributes(&answer).find_u32(kind).unwrap_or_default();
        let [rx_max, combined_max, rx, combined] = [2, 5, 6, 9].map(number);
        Ok(Queues {
            count: rx + combined,
            max: rx_max + combined_max,
            are_combined: combined_max > 0,
        })
    }

    /// Whether the driver has native XDP as it is set up.
    ///
    /// # Errors
    ///
    /// The kernel's: `ENOENT` before Linux 6.3.
    pub(super) fn has_native_xdp(&mut self, index: u32) -> io::Result<bool> {
        const DEV_GET: u8 = 1;
        const IFINDEX: u16 = 1;
        const XDP_FEATURES: u16 = 3;
        /// `XDP_ABORTED`, `XDP_DROP`, `XDP_PASS` and `XDP_TX`.
        const BASIC: u64 = 1;
        let mut payload = Vec::new();
        attribute(&mut payload, IFINDEX, &index.to_ne_bytes());
        let answer = self.ask("netdev", DEV_GET, &payload)?;
        let features = Attributes(&answer).find_u64(XDP_FEATURES);
        let features = features.ok_or(io::ErrorKind::InvalidData)?;
        Ok(features & BASIC != 0)
    }

    fn ethtool(&mut self, command: u8, index: u32) -> io::Result<Vec<u8>> {
        /// The header is the first attribute of every request, the index its first.
        const FIRST: u16 = 1;
        const NESTED: u16 = 1 << 15;
        let mut header = Vec::new();
        attribute(&mut header, FIRST, &index.to_ne_bytes());
        let mut payload = Vec::new();
        attribute(&mut payload, FIRST | NESTED, &header);
        self.ask("ethtool", command, &payload)
    }

    /// Asks a family; the answer's attributes.
    fn ask(&mut self, family: &str, command: u8, payload: &[u8]) -> io::Result<Vec<u8>> {
        const CONTROL: u16 = 16;
        const GET_FAMILY: u8 = 3;
        const FAMILY_ID: u16 = 1;
        const FAMILY_NAME: u16 = 2;
        let mut name = Vec::new();
        attribute(&mut name, FAMILY_NAME, format!("{family}\0").as_bytes());
        let answer = self.exchange(CONTROL, GET_FAMILY, &name)?;
        let id = Attributes(&answer).find_u16(FAMILY_ID);
        self.exchange(id.ok_or(io::ErrorKind::InvalidData)?, command, payload)
    }

    /// The kernel answers within the write, with one message.
    fn exchange(&mut self, family: u16, command: u8, payload: &[u8]) -> io::Result<Vec<u8>> {
        self.socket.write_all(&request(family, command, payload))?;
        let mut answer = vec![0; ANSWER_BYTES];
        let length = self.socket.read(&mut answer)?;
        answer.truncate(length);
        reply(&answer).map(<[u8]>::to_vec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_answers_for_the_loopback_interface() {
        let mut netlink = Netlink::open().unwrap();
        let features = match netlink.features(1) {
            Ok(features) => features,
            // A kernel without CONFIG_ETHTOOL_NETLINK.
            Err(error) => return assert_eq!(error.kind(), io::ErrorKind::NotFound),
        };
        assert!(
            features.iter().any(|name| name == "loopback"),
            "{features:?}"
        );
        assert!(
            !features.iter().any(|name| name == "rx-lro"),
            "{features:?}"
        );
        // `lo` has no channels, and no index is negative.
        assert!(netlink.queues(1).is_err());
        let absent = netlink.features(u32::MAX >> 1).unwrap_err();
        assert_eq!(absent.raw_os_error(), Some(libc::ENODEV));
    }
}
