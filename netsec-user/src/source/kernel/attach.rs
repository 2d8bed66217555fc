//! The XDP hook of an interface.

use std::fmt;
use std::io;
use std::path::Path;

use aya::programs::links::FdLink;
use aya::programs::{ProgramError, Xdp};

use super::KernelEngine;
use super::error::KernelError;
use super::interface::Interface;

/// Which XDP mode is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum XdpMode {
    /// Native, else generic with a warning.
    #[default]
    Auto,
    /// In the driver, or not at all.
    Native,
    /// Generic: after the driver has made an skb. Works everywhere, costs more.
    Skb,
}

/// Which XDP mode is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XdpModeInUse {
    /// In the driver.
    Native,
    /// After the driver has made an skb.
    Generic,
    /// On the network card.
    Hardware,
}

impl fmt::Display for XdpModeInUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native => "native",
            Self::Generic => "generic (skb)",
            Self::Hardware => "hardware",
        })
    }
}

/// A hook in use. Once it is dropped frames pass uncounted.
#[derive(Debug)]
pub struct Attachment {
    /// Held for its file descriptor: the kernel detaches the program when it is closed, however
    /// the process ends, unless it is pinned.
    link: FdLink,
    /// The mode in use.
    pub mode: XdpModeInUse,
    /// Why it is not native, when `auto` fell back.
    pub fallback: Option<String>,
}

impl Attachment {
    /// Of a link that is pinned.
    pub(super) const fn adopted(link: FdLink, mode: XdpModeInUse) -> Self {
        Self {
            link,
            mode,
            fallback: None,
        }
    }

    /// Pins the link: the program stays attached when this process is gone.
    pub(super) fn pinned(self, path: &Path) -> Result<Self, String> {
        let Self {
            link,
            mode,
            fallback,
        } = self;
        let link = link.pin(path).map_err(|error| error.to_string())?.into();
        Ok(Self {
            link,
            mode,
            fallback,
        })
    }
}

impl KernelEngine {
    /// Attaches the program to an interface.
    ///
    /// # Errors
    ///
    /// [`KernelError::ForeignProgram`] when another XDP program is there, and the refusals of the
    /// driver by mode.
    pub fn attach(
        &mut self,
        interface: &Interface,
        mode: XdpMode,
    ) -> Result<Attachment, KernelError> {
        if let Some(foreign) = &interface.xdp {
            return Err(KernelError::ForeignProgram {
                interface: interface.name.clone(),
                foreign: foreign.clone(),
            });
        }
        let refused = match mode {
            XdpMode::Skb => None,
            XdpMode::Auto | XdpMode::Native => {
                match self.attach_as(interface, XdpModeInUse::Native) {
                    Ok(link) => {
                        return Ok(Attachment {
                            link,
                            mode: XdpModeInUse::Native,
                            fallback: None,
                        });
                    }
                    Err(error) => Some(reason(&error, interface)),
                }
            }
        };
        if let (XdpMode::Native, Some(reason)) = (mode, refused.clone()) {
            return Err(KernelError::NativeRefused {
                interface: interface.name.clone(),
                reason,
            });
        }
        let link = self
            .attach_as(interface, XdpModeInUse::Generic)
            .map_err(|error| KernelError::GenericRefused {
                interface: interface.name.clone(),
                reason: reason(&error, interface),
            })?;
        Ok(Attachment {
            link,
            mode: XdpModeInUse::Generic,
            fallback: refused,
        })
    }

    fn attach_as(
        &mut self,
        interface: &Interface,
        mode: XdpModeInUse,
    ) -> Result<FdLink, ProgramError> {
        let mode = match mode {
            XdpModeInUse::Native => aya::programs::XdpMode::Driver,
            XdpModeInUse::Generic => aya::programs::XdpMode::Skb,
            XdpModeInUse::Hardware => aya::programs::XdpMode::Hardware,
        };
        let program: &mut Xdp = self
            .ebpf
            .program_mut(self.programs.xdp)
            .ok_or(ProgramError::NotLoaded)?
            .try_into()?;
        let id = program.attach_to_if_index(interface.index, mode)?;
        // aya attaches by netlink when the kernel refuses a link with EINVAL. Such an attachment
        // would outlive this process, so it is taken back: the conversion fails, which drops it.
        FdLink::try_from(program.take_link(id)?)
            .map_err(|_source| ProgramError::IOError(io::Error::from_raw_os_error(libc::EINVAL)))
    }
}

/// What the kernel's refusal means, by its error number.
fn reason(error: &ProgramError, interface: &Interface) -> String {
    let number = if let ProgramError::SyscallError(error) = error {
        error.io_error.raw_os_error()
    } else if let ProgramError::IOError(error) = error {
        error.raw_os_error()
    } else {
        None
    };
    match number {
        Some(libc::EOPNOTSUPP) => "its driver has no such mode".to_owned(),
        Some(libc::EBUSY | libc::EEXIST) => {
            "another XDP program was attached in the meantime".to_owned()
        }
        Some(libc::EINVAL | libc::ERANGE) => format!(
            "the driver does not take it as the interface is set (MTU {}; common causes are an MTU \
             above what fits one page and LRO; ethtool -k {} shows the latter)",
            interface.mtu, interface.name
        ),
        Some(libc::ENOMEM | libc::ENOSPC) => {
            "the driver has no memory or no queues left for it".to_owned()
        }
        Some(libc::EPERM) => "operation not permitted (CAP_NET_ADMIN, CAP_BPF)".to_owned(),
        Some(libc::ENODEV) => "the interface has gone".to_owned(),
        _ => error.to_string(),
    }
}
