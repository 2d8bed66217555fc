//! The established TCP connections of this network namespace.
//!
//! Asked through `sock_diag` (sock_diag(7), `linux/inet_diag.h`), which takes the kernel a third of the time
//! of `/proc/net/tcp`: that is for kernels without it.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};

/// An established connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Socket {
    pub(super) local_port: u16,
    /// The other end; IPv4-mapped IPv6 is IPv4 here.
    pub(super) peer: IpAddr,
    pub(super) inode: u64,
}

/// Which of two tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// `/proc/net/tcp`.
    V4,
    /// `/proc/net/tcp6`, with IPv4 on sockets for both.
    V6,
}

impl Family {
    pub(super) const ALL: [Self; 2] = [Self::V4, Self::V6];

    /// The table of this network namespace. `/proc/net` would be that of the process's first thread.
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::V4 => "/proc/thread-self/net/tcp",
            Self::V6 => "/proc/thread-self/net/tcp6",
        }
    }
}

/// The connections of a family.
///
/// # Errors
///
/// When the kernel has no such table, or does not show it.
pub(super) fn established(family: Family) -> io::Result<Vec<Socket>> {
    ask(family).or_else(|_no_sock_diag| {
        let mut text = String::with_capacity(1 << 16);
        File::open(family.path())?.read_to_string(&mut text)?;
        Ok(listed(&text))
    })
}

/// The established connections in a table of `/proc/net`.
pub(super) fn listed(table: &str) -> Vec<Socket> {
    table.lines().skip(1).filter_map(Socket::of_line).collect()
}

/// Asks for all of a family by netlink.
fn ask(family: Family) -> io::Result<Vec<Socket>> {
    const ANSWER_BYTES: usize = 1 << 15;
    let netlink = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkSockDiag,
    )?;
    let mut netlink = File::from(netlink);
    netlink.write_all(&request(family))?;
    let mut found = Vec::new();
    let mut answer = vec![0; ANSWER_BYTES];
    loop {
        let length = netlink.read(&mut answer)?;
        if take(answer.get(..length).unwrap_or_default(), &mut found)? {
            return Ok(found);
        }
    }
}

/// Bytes of `struct nlmsghdr`.
const HEADER_BYTES: usize = 16;

/// `nlmsghdr` and `inet_diag_req_v2`: every TCP socket that is established.
fn request(family: Family) -> Vec<u8> {
    const SOCK_DIAG_BY_FAMILY: u16 = 20;
    const NLM_F_REQUEST_DUMP: u16 = 0x301;
    const REQUEST_BYTES: u32 = 16 + 56;
    const IPPROTO_TCP: u8 = 6;
    const TCP_ESTABLISHED: u32 = 1;
    let family = match family {
        Family::V4 => libc::AF_INET,
        Family::V6 => libc::AF_INET6,
    };
    let mut request = Vec::with_capacity(REQUEST_BYTES as usize);
    request.extend(REQUEST_BYTES.to_ne_bytes());
    request.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    request.extend(NLM_F_REQUEST_DUMP.to_ne_bytes());
    // Sequence number and port.
    request.extend([0; 8]);
    request.extend([u8::try_from(family).unwrap_or_default(), IPPROTO_TCP, 0, 0]);
    request.extend((1_u32 << TCP_ESTABLISHED).to_ne_bytes());
    // `inet_diag_sockid` of any.
    request.extend([0; 48]);
    request
}

/// Takes the messages of an answer; true when they are the last.
fn take(mut messages: &[u8], found: &mut Vec<Socket>) -> io::Result<bool> {
    const NLMSG_ERROR: u16 = 2;
    const NLMSG_DONE: u16 = 3;
    while let Some((length, rest)) = messages.split_first_chunk() {
        let length = u32::from_ne_bytes(*length) as usize;
        let kind = rest.first_chunk().map(|kind| u16::from_ne_bytes(*kind));
        let payload = messages.get(HEADER_BYTES..length);
        match (kind, payload) {
            (Some(NLMSG_DONE), _) => return Ok(true),
            (Some(NLMSG_ERROR), Some(payload)) => {
                let code = payload.first_chunk().map(|code| i32::from_ne_bytes(*code));
                return Err(io::Error::from_raw_os_error(-code.unwrap_or_default()));
            }
            (Some(_), Some(payload)) => found.extend(Socket::of_message(payload)),
            (None, _) | (_, None) => return Err(io::ErrorKind::InvalidData.into()),
        }
        // Messages begin at multiples of four.
        messages = messages
            .get(length.next_multiple_of(4)..)
            .unwrap_or_default();
    }
    Ok(false)
}

impl Socket {
    /// Of an `inet_diag_msg`.
    fn of_message(message: &[u8]) -> Option<Self> {
        let family = i32::from(*message.first()?);
        let local_port = u16::from_be_bytes(*message.get(4..)?.first_chunk()?);
        let peer = message.get(24..)?;
        let peer = match family {
            libc::AF_INET => IpAddr::V4(Ipv4Addr::from(*peer.first_chunk::<4>()?)),
            libc::AF_INET6 => IpAddr::V6(Ipv6Addr::from(*peer.first_chunk::<16>()?)),
            _ => return None,
        };
        Some(Self {
            local_port,
            peer: peer.to_canonical(),
            inode: u32::from_ne_bytes(*message.get(68..)?.first_chunk()?).into(),
        })
    }

    /// Of a line of `/proc/net/tcp`; `None` for one that is not established, or no line of that file.
    fn of_line(line: &str) -> Option<Self> {
        const ESTABLISHED: &str = "01";
        let mut words = line.split_whitespace();
        let (_, local, peer) = (words.next()?, words.next()?, words.next()?);
        words.next().filter(|state| *state == ESTABLISHED)?;
        let (_, local_port) = local.split_once(':')?;
        let (peer, _) = peer.split_once(':')?;
        Some(Self {
            local_port: u16::from_str_radix(local_port, 16).ok()?,
            peer: address(peer)?,
            inode: words.nth(5)?.parse().ok()?,
        })
    }
}

/// An address as the kernel prints it: its 32-bit words as numbers of this machine.
fn address(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| -> Option<[u8; 4]> {
        let digits = hex.get(at * 8..at * 8 + 8)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    match hex.len() {
        8 => Some(IpAddr::V4(Ipv4Addr::from(word(0)?))),
        32 => {
            let mut bytes = [0; 16];
            for (index, place) in bytes.chunks_exact_mut(4).enumerate() {
                place.copy_from_slice(&word(index)?);
            }
            Some(IpAddr::V6(Ipv6Addr::from(bytes)).to_canonical())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    /// The kernel's two ways to say it are the same.
    #[test]
    fn a_connection_of_this_process_is_found_either_way() {
        for listen in ["127.0.0.1:0", "[::]:0"] {
            let Ok(listener) = TcpListener::bind(listen) else {
                continue;
            };
            let port = listener.local_addr().unwrap().port();
            let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let (server, _) = listener.accept().unwrap();
            let family = if listen.starts_with('[') {
                Family::V6
            } else {
                Family::V4
            };
            let text = std::fs::read_to_string(family.path()).unwrap();
            let find = |sockets: Vec<Socket>| sockets.into_iter().find(|s| s.local_port == port);
            let found = find(listed(&text)).unwrap();
            assert_eq!(found.peer, client.local_addr().unwrap().ip());
            if let Ok(asked) = ask(family) {
                assert_eq!(find(asked), Some(found));
            }
            drop(server);
        }
    }

    #[test]
    fn an_answer_that_is_cut_or_an_error_is_said() {
        let mut found = Vec::new();
        let message = |kind: u16, payload: &[u8]| {
            let length = u32::try_from(HEADER_BYTES + payload.len()).unwrap();
            let mut bytes = length.to_ne_bytes().to_vec();
            bytes.extend(kind.to_ne_bytes());
            bytes.extend([0; 10]);
            bytes.extend(payload);
            bytes
        };
        let no_entry = message(2, &(-libc::ENOENT).to_ne_bytes());
        let error = take(&no_entry, &mut found).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        let socket = message(20, &[0; 72]);
        assert!(take(&socket[..40], &mut found).is_err());
        assert!(!take(&socket, &mut found).unwrap());
        assert!(take(&message(3, &[]), &mut found).unwrap());
        assert!(found.is_empty(), "of no family");
    }
}
