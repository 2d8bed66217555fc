//! Keys of flows in tunnels.

use super::super::PacketBytes;
use super::super::tunnel::{ID_SHIFT, Tunnel, TunnelBits};
use super::FlowKey;

impl FlowKey {
    /// The same flow inside of a tunnel.
    #[inline(always)]
    #[must_use]
    pub(in super::super) const fn inside(self, tunnel: TunnelBits) -> Self {
        Self {
            tail: self.tail & ((1 << ID_SHIFT) - 1) | tunnel.high,
            tunnel: tunnel.low,
            ..self
        }
    }

    /// The same flow inside of a tunnel.
    #[must_use]
    pub const fn in_tunnel(self, tunnel: Tunnel) -> Self {
        self.inside(TunnelBits::of(tunnel))
    }

    /// The tunnel that the flow is in.
    #[must_use]
    pub fn tunnel(&self) -> Option<Tunnel> {
        TunnelBits {
            low: self.tunnel,
            high: self.tail,
        }
        .read()
    }

    /// Whether the flow is inside of a tunnel.
    #[inline(always)]
    #[must_use]
    pub const fn is_inner(&self) -> bool {
        self.tunnel != 0
    }

    /// What tells flows in tunnels apart besides the [`words`](Self::words): 24 bits, zero outside of
    /// tunnels.
    #[inline(always)]
    #[must_use]
    pub const fn tunnel_word(&self) -> u64 {
        self.tunnel
    }

    /// The key with this [`tunnel_word`](Self::tunnel_word).
    #[inline(always)]
    #[must_use]
    pub const fn with_tunnel_word(self, tunnel: u64) -> Self {
        Self { tunnel, ..self }
    }

    /// The same key, but that the verifier does not walk what follows once for each protocol.
    #[inline(always)]
    pub(in super::super) fn merged<P: PacketBytes>(self, bytes: &P) -> Self {
        let low = bytes.merge::<32>((self.tail & 0xffff_ffff) as usize);
        let high = bytes.merge::<32>((self.tail >> 32) as usize);
        Self {
            tail: low as u64 | (high as u64) << 32,
            ..self
        }
    }
}
