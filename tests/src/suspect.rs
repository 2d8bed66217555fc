//! A host that has talked to the right end of a pair, and then is spoken ill of.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use netsec_user::time::WallTime;

use crate::netns::Pair;

/// The server's address.
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 2);

/// Time that a datagram may take through a pair, on a machine that does other things, too.
const PATIENCE: Duration = Duration::from_millis(100);

/// The right end: a TCP server that greets, and a socket that takes datagrams.
#[derive(Debug)]
pub struct Victim {
    tcp: SocketAddr,
    udp: UdpSocket,
}

/// The left end by one of its addresses.
#[derive(Debug)]
pub struct Suspect {
    stream: TcpStream,
    from: SocketAddr,
    to: SocketAddr,
    udp: UdpSocket,
}

impl Victim {
    /// Listens at the right end.
    ///
    /// # Errors
    ///
    /// When it cannot.
    pub fn new(pair: &Pair) -> Result<Self> {
        let (tcp, udp) = pair.right.run(|| {
            let tcp = TcpListener::bind((SERVER, 0))?;
            Ok((tcp, UdpSocket::bind((SERVER, 0))?))
        })?;
        let address = tcp.local_addr()?;
        thread::spawn(move || {
            let mut greeted = Vec::new();
            while let Ok((mut stream, _)) = tcp.accept() {
                // Who has gone already is not greeted.
                drop(stream.write_all(b"hello\n"));
                greeted.push(stream);
            }
        });
        Ok(Self { tcp: address, udp })
    }

    /// Where it listens.
    #[must_use]
    pub const fn tcp(&self) -> SocketAddr {
        self.tcp
    }
}

impl Suspect {
    /// Connects from an address of the left end, and waits to be greeted.
    ///
    /// # Errors
    ///
    /// When that fails.
    pub fn connect(pair: &Pair, address: Ipv4Addr, victim: &Victim) -> Result<Self> {
        let to = victim.udp.local_addr()?;
        pair.left.run(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_io()
                .build()?;
            let mut stream = runtime.block_on(async {
                let socket = tokio::net::TcpSocket::new_v4()?;
                socket.bind(SocketAddr::new(IpAddr::V4(address), 0))?;
                socket.connect(victim.tcp).await?.into_std()
            })?;
            stream.set_nonblocking(false)?;
            stream.read_exact(&mut [0; 6]).context("no greeting")?;
            let udp = UdpSocket::bind((address, 0))?;
            udp.connect(to)?;
            Ok(Self {
                from: stream.local_addr()?,
                to: stream.peer_addr()?,
                stream,
                udp,
            })
        })
    }

    /// Whether a datagram reaches the victim.
    ///
    /// # Errors
    ///
    /// When it cannot be sent.
    pub fn reaches(&self, victim: &Victim) -> Result<bool> {
        self.reaches_within(victim, PATIENCE)
    }

    /// As [`reaches`](Self::reaches), within a time.
    ///
    /// # Errors
    ///
    /// When it cannot be sent.
    pub fn reaches_within(&self, victim: &Victim, patience: Duration) -> Result<bool> {
        self.udp.send(b"x")?;
        victim.udp.set_read_timeout(Some(patience))?;
        loop {
            match victim.udp.recv_from(&mut [0; 8]) {
                Ok((_, from)) if from.ip() == self.from.ip() => return Ok(true),
                Ok(_) => {}
                Err(error) if is_timeout(error.kind()) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Sends something over its connection.
    ///
    /// # Errors
    ///
    /// When it cannot be sent.
    pub fn say(&self, words: &[u8]) -> Result<()> {
        Ok((&self.stream).write_all(words)?)
    }

    /// An alert on its connection, as Suricata writes it.
    #[must_use]
    pub fn alert(&self, sid: u64, severity: u8) -> String {
        alert("TCP", self.from, self.to, sid, severity)
    }
}

/// An alert, as Suricata writes it.
#[must_use]
pub fn alert(proto: &str, from: SocketAddr, to: SocketAddr, sid: u64, severity: u8) -> String {
    let (time, flow) = (WallTime::now(), u32::from(from.port()));
    format!(
        r#"{{"timestamp":"{time}","flow_id":{flow},"in_iface":"right","event_type":"alert","src_ip":"{}","src_port":{},"dest_ip":"{}","dest_port":{},"proto":"{proto}","alert":{{"action":"allowed","gid":1,"signature_id":{sid},"rev":1,"signature":"TEST","category":"Misc Attack","severity":{severity}}}}}"#,
        from.ip(),
        from.port(),
        to.ip(),
        to.port()
    )
}

/// Connects to the victim's TCP port, then to others from 20000 on, which are all refused, as a scanner
/// does that takes what it is greeted with.
///
/// # Errors
///
/// When one is not refused.
pub fn scan(pair: &Pair, victim: &Victim, ports: u16) -> Result<()> {
    pair.left.run(|| {
        let mut open = TcpStream::connect(victim.tcp)?;
        open.read_exact(&mut [0; 6]).context("no greeting")?;
        drop(open);
        for port in 20_000..20_000 + ports {
            let refused = TcpStream::connect_timeout(&(SERVER, port).into(), PATIENCE);
            let kind = refused.map_err(|error| error.kind());
            let expected = [ErrorKind::ConnectionRefused, ErrorKind::TimedOut];
            ensure!(
                kind.is_err_and(|kind| expected.contains(&kind)),
                "port {port} is open"
            );
        }
        Ok(())
    })
}

fn is_timeout(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
