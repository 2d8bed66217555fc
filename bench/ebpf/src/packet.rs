//! The packet's fields, as a program that knows IPv4 over Ethernet only reads them.

use aya_ebpf::programs::XdpContext;

const ETHERTYPE_IPV4: u16 = 0x0800;
const TCP: u8 = 6;
const UDP: u8 = 17;

/// Where things are in an Ethernet frame with an IPv4 header without options.
const ETHERTYPE: usize = 12;
const IP: usize = 14;
const TOTAL_LENGTH: usize = IP + 2;
const PROTOCOL: usize = IP + 9;
const SOURCE: usize = IP + 12;
const DESTINATION: usize = IP + 16;
const PORTS: usize = IP + 20;
const PORTS_END: usize = PORTS + 4;

/// What the driver writes.
pub(crate) struct Flow;

impl Flow {
    /// Puts a flow into the packet; `None` when it is too short.
    #[inline(always)]
    pub(crate) fn write(ctx: &XdpContext, flow: u64) -> Option<()> {
        let start = ctx.data();
        if start + PORTS_END > ctx.data_end() {
            return None;
        }
        // SAFETY: both words lie inside the packet, as was checked; the kernel allows unaligned
        // words in packets where the CPU does.
        unsafe {
            ((start + SOURCE) as *mut u32).write_unaligned(flow as u32);
            ((start + PORTS) as *mut u32).write_unaligned((flow >> 32) as u32);
        }
        Some(())
    }
}

/// What identifies a flow: 16 bytes, a fifth of what IPv6 and VLANs take.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Key {
    pub(crate) source: u32,
    pub(crate) destination: u32,
    pub(crate) ports: u32,
    pub(crate) protocol: u32,
}

/// The key and the length of a TCP or UDP packet over IPv4 without options.
#[inline(always)]
pub(crate) fn parse(ctx: &XdpContext) -> Option<(Key, u64)> {
    let start = ctx.data();
    let end = ctx.data_end();
    if start + PORTS_END > end {
        return None;
    }
    // SAFETY: all fields lie inside the packet, as was checked.
    unsafe {
        let ethertype = ((start + ETHERTYPE) as *const u16).read_unaligned();
        let version = *((start + IP) as *const u8);
        let protocol = *((start + PROTOCOL) as *const u8);
        let total = u16::from_be(((start + TOTAL_LENGTH) as *const u16).read_unaligned());
        if ethertype != ETHERTYPE_IPV4.to_be()
            || version != 0x45
            || (protocol != TCP && protocol != UDP)
            || IP + total as usize > end - start
        {
            return None;
        }
        let key = Key {
            source: ((start + SOURCE) as *const u32).read_unaligned(),
            destination: ((start + DESTINATION) as *const u32).read_unaligned(),
            ports: ((start + PORTS) as *const u32).read_unaligned(),
            protocol: u32::from(protocol),
        };
        Some((key, (end - start) as u64))
    }
}
