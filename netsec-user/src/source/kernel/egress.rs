//! The TC egress hook of an interface.

use aya::programs::tc::{SchedClassifierLink, TcAttachOptions, qdisc_add_clsact};
use aya::programs::{LinkOrder, ProgramError, SchedClassifier, TcAttachType};

use super::KernelEngine;
use super::error::KernelError;
use super::interface::Interface;

/// An egress hook in use. Frames leave uncounted once it is dropped.
#[derive(Debug)]
pub struct EgressAttachment {
    /// Held: the program is detached when it is dropped.
    _link: SchedClassifierLink,
    /// How it is attached.
    pub means: EgressMeans,
}

/// How an egress program is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EgressMeans {
    /// By a TCX link (Linux 6.6), which goes with the process, however it ends.
    Tcx,
    /// By a filter of the `clsact` qdisc, which stays when the process is killed; to remove it:
    /// `tc filter del dev IF egress`.
    Clsact,
}

impl KernelEngine {
    /// Attaches the program to what an interface sends, behind the programs that are there.
    ///
    /// # Errors
    ///
    /// [`KernelError::EgressRefused`].
    pub fn attach_egress(
        &mut self,
        interface: &Interface,
    ) -> Result<EgressAttachment, KernelError> {
        let by_tcx = TcAttachOptions::TcxOrder(LinkOrder::default());
        let tcx_refused = match self.attach_classifier(interface, by_tcx) {
            Ok(link) => {
                return Ok(EgressAttachment {
                    _link: link,
                    means: EgressMeans::Tcx,
                });
            }
            Err(error) => error,
        };
        log::debug!("{}: no TCX: {tcx_refused}", interface.name);
        // An existing qdisc is an error here, and just as well.
        let qdisc = qdisc_add_clsact(&interface.name);
        let by_netlink = TcAttachOptions::Netlink(Default::default());
        match self.attach_classifier(interface, by_netlink) {
            Ok(link) => Ok(EgressAttachment {
                _link: link,
                means: EgressMeans::Clsact,
            }),
            Err(error) => Err(KernelError::EgressRefused {
                interface: interface.name.clone(),
                tcx: tcx_refused.to_string(),
                clsact: match qdisc {
                    Ok(()) => error.to_string(),
                    Err(qdisc) => format!("{qdisc}; {error}"),
                },
            }),
        }
    }

    fn attach_classifier(
        &mut self,
        interface: &Interface,
        options: TcAttachOptions,
    ) -> Result<SchedClassifierLink, ProgramError> {
        let program: &mut SchedClassifier = self
            .ebpf
            .program_mut(self.programs.egress)
            .ok_or(ProgramError::NotLoaded)?
            .try_into()?;
        let id = program.attach_with_options(&interface.name, TcAttachType::Egress, options)?;
        program.take_link(id)
    }
}
