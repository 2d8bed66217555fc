//! The record of a flow that left its slot.

use crate::packet::FlowKey;
use crate::ticks::Ticks;

/// Why a flow's counts left the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum EndReason {
    /// A newer flow needed the slot.
    Evicted = 1,
    /// A packet came after the idle timeout: the old flow ended, a new one began.
    Idle = 2,
    /// A SYN (or SYN-ACK) after FIN or RST: a new TCP connection between the same endpoints.
    Reused = 3,
    /// A counter was at its limit.
    CounterLimit = 4,
}

impl EndReason {
    /// The reason with this number in a [`FlowRecord`].
    #[must_use]
    pub const fn from_abi(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Evicted),
            2 => Some(Self::Idle),
            3 => Some(Self::Reused),
            4 => Some(Self::CounterLimit),
            _ => None,
        }
    }
}

/// A flow that left its slot, as it travels through the record ring. 80 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct FlowRecord {
    /// The flow.
    pub key: FlowKey,
    /// Bytes counted since the slot was opened, link headers included.
    pub bytes: u64,
    /// Time of the first packet.
    pub first: Ticks,
    /// Time of the last packet.
    pub last: Ticks,
    /// Packets counted since the slot was opened.
    pub packets: u32,
    /// The slot's index in the whole table.
    pub slot: u32,
    /// The slot's generation while this flow held it.
    pub generation: u16,
    /// All TCP flags seen, or-ed.
    pub tcp_flags: u8,
    /// An [`EndReason`].
    pub reason: u8,
    /// TCP flags of the packet that opened the slot.
    pub first_tcp_flags: u8,
    /// Zero. Three bytes in one field would be a call of `memset`: a frame more on the stack of 512 bytes.
    pub reserved: u8,
    /// Zero.
    pub reserved_high: u16,
}

const _: () = assert!(size_of::<FlowRecord>() == 80);
const _: () = assert!(core::mem::offset_of!(FlowRecord, packets) == 64);
const _: () = assert!(core::mem::offset_of!(FlowRecord, first_tcp_flags) == 76);

impl FlowRecord {
    /// Size of a record in the ring, bytes.
    pub const BYTES: usize = size_of::<Self>();

    /// Reads a record from the ring; `None` unless it has exactly [`Self::BYTES`] bytes.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let words: &[[u8; 8]; Self::BYTES / 8] = bytes.as_chunks().0.try_into().ok()?;
        if bytes.len() != Self::BYTES {
            return None;
        }
        let [k0, k1, k2, k3, k4, tunnel, bytes, times, packets, rest] =
            words.map(u64::from_ne_bytes);
        let (first, last) = halves(times);
        let (packets, slot) = halves(packets);
        let [g0, g1, tcp_flags, reason, first_tcp_flags, ..] = rest.to_ne_bytes();
        Some(Self {
            key: FlowKey::from_words([k0, k1, k2, k3, k4]).with_tunnel_word(tunnel),
            bytes,
            first: Ticks(first),
            last: Ticks(last),
            packets,
            slot,
            generation: u16::from_ne_bytes([g0, g1]),
            tcp_flags,
            reason,
            first_tcp_flags,
            reserved: 0,
            reserved_high: 0,
        })
    }
}

/// The two `u32` fields that share eight bytes, in memory order.
fn halves(word: u64) -> (u32, u32) {
    let [a, b, c, d, e, f, g, h] = word.to_ne_bytes();
    (
        u32::from_ne_bytes([a, b, c, d]),
        u32::from_ne_bytes([e, f, g, h]),
    )
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;
    use core::net::SocketAddr;

    use super::*;
    use crate::packet::{Tunnel, TunnelKind, Vlan, protocol};

    fn record() -> FlowRecord {
        let source: SocketAddr = ([192, 0, 2, 1], 50_000).into();
        let destination: SocketAddr = ([192, 0, 2, 2], 443).into();
        let vlan = Vlan { outer: 7, inner: 8 };
        FlowRecord {
            key: FlowKey::from_endpoints(source, destination, protocol::TCP, vlan).in_tunnel(
                Tunnel {
                    kind: TunnelKind::Vxlan,
                    level: 2,
                    id: 0xab_cdef,
                },
            ),
            bytes: 0x0102_0304_0506,
            first: Ticks(11),
            last: Ticks(12),
            packets: 13,
            slot: 14,
            generation: 0xabcd,
            tcp_flags: 0x1b,
            reason: EndReason::Idle as u8,
            first_tcp_flags: 0x02,
            reserved: 0,
            reserved_high: 0,
        }
    }

    /// The record as the kernel writes it: each field at its offset.
    fn bytes(record: &FlowRecord) -> Vec<u8> {
        let mut bytes = record.key.words().map(u64::to_ne_bytes).concat();
        bytes.extend(record.key.tunnel_word().to_ne_bytes());
        bytes.extend(record.bytes.to_ne_bytes());
        for field in [record.first.0, record.last.0, record.packets, record.slot] {
            bytes.extend(field.to_ne_bytes());
        }
        bytes.extend(record.generation.to_ne_bytes());
        bytes.extend([record.tcp_flags, record.reason, record.first_tcp_flags]);
        bytes.push(record.reserved);
        bytes.extend(record.reserved_high.to_ne_bytes());
        bytes
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        assert_eq!(FlowRecord::read(&bytes(&record())), Some(record()));
    }

    #[test]
    fn a_record_of_another_size_is_refused() {
        let bytes = bytes(&record());
        assert_eq!(FlowRecord::read(&bytes[..79]), None);
        assert_eq!(FlowRecord::read(&[&*bytes, &[0]].concat()), None);
        assert_eq!(FlowRecord::read(&bytes.repeat(2)), None);
        assert_eq!(FlowRecord::read(&[]), None);
    }

    #[test]
    fn reasons_survive_their_numbers() {
        let known: Vec<_> = (0..=u8::MAX).filter_map(EndReason::from_abi).collect();
        assert_eq!(known.len(), 4);
        for reason in known {
            assert_eq!(EndReason::from_abi(reason as u8), Some(reason));
        }
    }
}
