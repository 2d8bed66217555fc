//! Which of the object's programs are loaded.

use aya::Ebpf;
use aya::programs::{ProgramError, SchedClassifier, Xdp};

use super::error::KernelError;
use super::load::release;

/// The programs' names in the object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Programs {
    /// The XDP program.
    pub(super) xdp: &'static str,
    /// The TC program.
    pub(super) egress: &'static str,
    /// Those that look into tunnels.
    inner: bool,
}

impl Programs {
    /// Those that look into tunnels are others, so that the plain ones pay nothing for it.
    pub(super) const fn new(inner: bool) -> Self {
        let (xdp, egress) = if inner {
            ("netsec_inner", "netsec_egress_inner")
        } else {
            ("netsec", "netsec_egress")
        };
        Self { xdp, egress, inner }
    }

    fn refused(self, name: &'static str, source: ProgramError) -> KernelError {
        if self.inner {
            KernelError::InnerRefused {
                release: release(),
                source,
            }
        } else {
            KernelError::Program { name, source }
        }
    }
}

pub(super) fn load_xdp(ebpf: &mut Ebpf, programs: Programs) -> Result<(), KernelError> {
    let name = programs.xdp;
    let failed = |source| programs.refused(name, source);
    let program: &mut Xdp = ebpf
        .program_mut(name)
        .ok_or(KernelError::ObjectWithout { name })?
        .try_into()
        .map_err(failed)?;
    program.load().map_err(failed)
}

pub(super) fn load_egress(ebpf: &mut Ebpf, programs: Programs) -> Result<(), KernelError> {
    let name = programs.egress;
    load_classifier(ebpf, name, |source| programs.refused(name, source))
}

pub(super) fn load_classifier(
    ebpf: &mut Ebpf,
    name: &'static str,
    failed: impl Fn(ProgramError) -> KernelError,
) -> Result<(), KernelError> {
    let program: &mut SchedClassifier = ebpf
        .program_mut(name)
        .ok_or(KernelError::ObjectWithout { name })?
        .try_into()
        .map_err(&failed)?;
    program.load().map_err(failed)
}
