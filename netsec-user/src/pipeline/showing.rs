//! Which packets are shown, and what of them.

use super::Pipeline;
use crate::event::Sample;
use crate::output::Output;
use crate::packet::{Content, PacketView};

impl<O: Output> Pipeline<O> {
    /// What is shown of a sample: what is in its tunnels, when the sources look there.
    pub(super) fn view(&self, sample: &Sample) -> PacketView {
        if self.settings.inner {
            PacketView::decode_inner(sample)
        } else {
            PacketView::decode(sample)
        }
    }

    /// Whether a packet, or one that carries it, passes the filter.
    pub(super) fn wants(&self, view: &PacketView) -> bool {
        view.layers().any(|view| self.wants_layer(view))
    }

    fn wants_layer(&self, view: &PacketView) -> bool {
        let filter = &self.settings.filter;
        if filter.is_everything() {
            return true;
        }
        if let Ok(packet) = view.flow {
            return filter.matches_flow(&packet.key);
        }
        let ethertype = view.link.ethertype.unwrap_or_default();
        let vlan = view.link.vlan();
        match &view.content {
            Content::Arp(arp) => filter.matches_arp(ethertype, arp.sender.1, arp.target.1, vlan),
            Content::Ip(_) | Content::Other(_) => filter.matches_not_ip(ethertype, vlan),
        }
    }
}
