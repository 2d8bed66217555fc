//! What this host depends on, read from the system's own files.

use std::net::IpAddr;

use super::sockets::Socket;

/// Addresses that must not be cut off. Gathered by the caller, so that the rules can be tested.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// This host's.
    pub own: Vec<IpAddr>,
    /// Broadcast addresses of its networks.
    pub broadcast: Vec<IpAddr>,
    /// Next hops of its default routes.
    pub gateways: Vec<IpAddr>,
    /// Its DNS servers.
    pub dns: Vec<IpAddr>,
    /// The other ends of its SSH sessions.
    pub ssh_peers: Vec<IpAddr>,
}

/// The servers in a `resolv.conf` (resolv.conf(5)).
#[must_use]
pub fn dns_servers(resolv_conf: &str) -> Vec<IpAddr> {
    resolv_conf
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let address = words.next().filter(|word| *word == "nameserver");
            let address = address.and_then(|_| words.next())?;
            // A link-local server has a zone.
            address.split('%').next()?.parse().ok()
        })
        .map(|address: IpAddr| address.to_canonical())
        .collect()
}

/// The client in `$SSH_CONNECTION`: `client-address client-port server-address server-port`.
#[must_use]
pub fn ssh_client(ssh_connection: &str) -> Option<IpAddr> {
    let first = ssh_connection.split_whitespace().next()?;
    let address: IpAddr = first.split('%').next()?.parse().ok()?;
    Some(address.to_canonical())
}

/// The other ends of SSH sessions among these connections.
///
/// Those with port 22 on this side, and those whose socket an SSH server holds on whatever port
/// (`is_sshd` is asked by inode).
pub(super) fn ssh_peers(sockets: &[Socket], is_sshd: impl Fn(u64) -> bool) -> Vec<IpAddr> {
    const SSH: u16 = 22;
    let is_ssh = |socket: &&Socket| socket.local_port == SSH || is_sshd(socket.inode);
    let sessions = sockets.iter().filter(is_ssh);
    sessions.map(|socket| socket.peer).collect()
}

#[cfg(test)]
mod tests {
    use super::super::sockets::listed;
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn name_servers() {
        let text = "# by hand\nsearch example.org\nnameserver 192.0.2.53\n nameserver  fe80::1%eth0\n\
                    nameserver ::ffff:192.0.2.54\nnameserver nonsense\n#nameserver 192.0.2.55\n";
        assert_eq!(
            dns_servers(text),
            addresses(&["192.0.2.53", "fe80::1", "192.0.2.54"])
        );
    }

    #[test]
    fn the_session_in_the_environment() {
        let client = |text| ssh_client(text).map(|address| address.to_string());
        assert_eq!(
            client("192.0.2.7 51000 192.0.2.1 22").as_deref(),
            Some("192.0.2.7")
        );
        assert_eq!(
            client("::ffff:192.0.2.7 1 :: 22").as_deref(),
            Some("192.0.2.7")
        );
        assert_eq!(
            client("fe80::7%eth0 1 fe80::1 22").as_deref(),
            Some("fe80::7")
        );
        assert_eq!(client(""), None);
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn established_ssh_sessions() {
        // Listening; a session on port 22; another service; sshd on port 2222 by inode; closing.
        let v4 = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 100 1 0\n\
            1: 010200C0:0016 070200C0:C738 01 00000000:00000000 02:00000000 00000000     0        0 101 2 0\n\
            2: 010200C0:0050 080200C0:C738 01 00000000:00000000 02:00000000 00000000     0        0 102 2 0\n\
            3: 010200C0:08AE 090200C0:C738 01 00000000:00000000 02:00000000 00000000     0        0 103 2 0\n\
            4: 010200C0:0016 0A0200C0:C738 06 00000000:00000000 02:00000000 00000000     0        0 0 2 0\n";
        let found = ssh_peers(&listed(v4), |inode| inode == 103);
        assert_eq!(found, addresses(&["192.0.2.7", "192.0.2.9"]));
        let v6 = "header\n\
            0: 0000000000000000FFFF0000010200C0:0016 0000000000000000FFFF0000070200C0:C738 01 0:0 0:0 0 0 0 7 1\n\
            1: B80D0120000000000000000001000000:0016 B80D0120000000000000000007000000:C738 01 0:0 0:0 0 0 0 8 1\n";
        assert_eq!(
            ssh_peers(&listed(v6), |_| false),
            addresses(&["192.0.2.7", "2001:db8::7"])
        );
        assert!(listed("\u{e9}\n\n1: x y 01\n").is_empty());
    }
}
