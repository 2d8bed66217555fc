//! Which tunnel a flow is in, and how its key says so.

/// Bits of a tunnel's identifier from here on stand in the tail of a key, at this place.
pub(in super::super) const ID_SHIFT: u32 = 52;
const LOW_ID_BITS: u32 = 20;
const KIND_SHIFT: u32 = LOW_ID_BITS;
const LEVEL_SHIFT: u32 = KIND_SHIFT + 3;

/// Kinds of tunnels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum TunnelKind {
    /// IPv4 or IPv6 in IP (RFC 2003, 2473, 4213).
    IpInIp = 1,
    /// GRE without a key (RFC 2784).
    Gre = 2,
    /// GRE with a key (RFC 2890), NVGRE too (RFC 7637).
    KeyedGre = 3,
    /// VXLAN (RFC 7348).
    Vxlan = 4,
    /// GENEVE (RFC 8926).
    Geneve = 5,
    /// GTP-U (3GPP TS 29.281).
    Gtp = 6,
    /// ERSPAN of types I to III, in GRE (draft-foschiano-erspan).
    Erspan = 7,
}

impl TunnelKind {
    /// Its name in outputs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::IpInIp => "ipip",
            Self::Gre | Self::KeyedGre => "gre",
            Self::Vxlan => "vxlan",
            Self::Geneve => "geneve",
            Self::Gtp => "gtp",
            Self::Erspan => "erspan",
        }
    }

    /// What its identifier is called, when it has one.
    #[must_use]
    pub const fn id_name(self) -> Option<&'static str> {
        match self {
            Self::KeyedGre => Some("key"),
            Self::Vxlan | Self::Geneve => Some("vni"),
            Self::Erspan => Some("session"),
            Self::IpInIp | Self::Gre | Self::Gtp => None,
        }
    }

    const fn from_number(number: u64) -> Option<Self> {
        Some(match number {
            1 => Self::IpInIp,
            2 => Self::Gre,
            3 => Self::KeyedGre,
            4 => Self::Vxlan,
            5 => Self::Geneve,
            6 => Self::Gtp,
            7 => Self::Erspan,
            _ => return None,
        })
    }
}

/// The tunnel that a flow is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tunnel {
    /// Its kind.
    pub kind: TunnelKind,
    /// 1 for a flow in one tunnel, 2 for a flow in a tunnel in a tunnel.
    pub level: u8,
    /// Its identifier; zero where there is none. That of GTP-U is none of the flow's: each direction
    /// has its own.
    pub id: u32,
}

/// A tunnel as a key holds it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct TunnelBits {
    /// Identifier (low 20 bits), kind (3), whether it is the second (1).
    pub(in super::super) low: u64,
    /// The identifier's high 12 bits, at their place in the tail.
    pub(in super::super) high: u64,
}

impl TunnelBits {
    #[inline(always)]
    pub(super) const fn new(kind: TunnelKind, level: u64, id: u32) -> Self {
        let low_id = id as u64 & ((1 << LOW_ID_BITS) - 1);
        Self {
            low: low_id | (kind as u64) << KIND_SHIFT | (level >> 1 & 1) << LEVEL_SHIFT,
            high: (id as u64 >> LOW_ID_BITS) << ID_SHIFT,
        }
    }

    pub(in super::super) const fn of(tunnel: Tunnel) -> Self {
        Self::new(tunnel.kind, tunnel.level as u64, tunnel.id)
    }

    /// The tunnel; of `high` only the bits of the identifier count.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "an identifier has 32 bits, a level one"
    )]
    pub(in super::super) fn read(self) -> Option<Tunnel> {
        let low_id = self.low & ((1 << LOW_ID_BITS) - 1);
        Some(Tunnel {
            kind: TunnelKind::from_number(self.low >> KIND_SHIFT & 7)?,
            level: 1 + (self.low >> LEVEL_SHIFT & 1) as u8,
            id: (low_id | self.high >> ID_SHIFT << LOW_ID_BITS) as u32,
        })
    }
}
