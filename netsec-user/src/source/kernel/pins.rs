//! What stays in the kernel when this process is gone: links and block table, pinned in a folder of a
//! BPF file system.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use aya::programs::links::{FdLink, PinnedLink};
use aya::programs::xdp::XdpLink;
use aya::programs::{ProgramError, Xdp};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::statfs::{BPF_FS_MAGIC, statfs};

use super::attach::{Attachment, XdpMode};
use super::blocks::{BlockMaps, BlockSource, NAMES};
use super::error::KernelError;
use super::interface::Interface;
use super::{KernelEngine, XdpModeInUse};

/// Begins the names of pinned links; the interface's name follows.
const LINK: &str = "link_";

/// A folder of pins, which this process alone may change.
#[derive(Debug)]
pub struct PinFolder {
    path: PathBuf,
    _lock: Flock<File>,
}

impl PinFolder {
    /// Opens the folder, and makes it when it is not there.
    ///
    /// # Errors
    ///
    /// [`KernelError::NoBpfFs`] when it is not in a BPF file system, [`KernelError::Pins`] when another
    /// netsec has it.
    pub fn open(path: &Path) -> Result<Self, KernelError> {
        let no_bpf_fs = |reason: String| KernelError::NoBpfFs {
            what: "keeping blocks when netsec is gone (on_exit = keep)",
            reason: format!("{}: {reason}", path.display()),
        };
        fs::create_dir_all(path).map_err(|error| no_bpf_fs(error.to_string()))?;
        let kind = statfs(path).map_err(|error| no_bpf_fs(error.to_string()))?;
        if kind.filesystem_type() != BPF_FS_MAGIC {
            // Only what was made just now is empty, and goes.
            drop(fs::remove_dir(path));
            return Err(no_bpf_fs(
                "it is in a file system of another kind".to_owned(),
            ));
        }
        let folder = File::open(path).map_err(|error| no_bpf_fs(error.to_string()))?;
        let lock = Flock::lock(folder, FlockArg::LockExclusiveNonblock).map_err(|(_, error)| {
            KernelError::Pins {
                folder: path.to_owned(),
                reason: if error == Errno::EWOULDBLOCK {
                    "another netsec is using it".to_owned()
                } else {
                    error.desc().to_owned()
                },
            }
        })?;
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The block table in it, or a new one for so many entries when there is none.
    ///
    /// # Errors
    ///
    /// [`KernelError::Pins`] when the one that is there cannot be used.
    pub fn blocks(&self, capacity: u32) -> Result<BlockSource, KernelError> {
        // Opened and let go: this is about whether it can be.
        drop(BlockMaps::open(&self.path)?);
        Ok(BlockSource::Pinned(self.path.clone(), capacity))
    }

    /// Detaches what is pinned and gives the table up: from here on nothing is dropped.
    ///
    /// # Errors
    ///
    /// The file system's.
    pub fn clear(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with(LINK) || NAMES.contains(&&*name) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// As [`Self::clear`], and removes the folder.
    ///
    /// # Errors
    ///
    /// The file system's.
    pub fn remove(self) -> io::Result<()> {
        self.clear()?;
        fs::remove_dir(&self.path)
    }

    fn link(&self, interface: &str) -> PathBuf {
        self.path.join(format!("{LINK}{interface}"))
    }
}

impl KernelEngine {
    /// Attaches the program to an interface for longer than this process lives. Where an earlier netsec
    /// left one, that is replaced in one step: no frame goes by unseen.
    ///
    /// # Errors
    ///
    /// As [`Self::attach`], and [`KernelError::Pins`] when the link that is there cannot be taken over.
    pub fn attach_kept(
        &mut self,
        interface: &Interface,
        mode: XdpMode,
        folder: &PinFolder,
    ) -> Result<Attachment, KernelError> {
        let path = folder.link(&interface.name);
        let refused = |reason: String| KernelError::Pins {
            folder: folder.path.clone(),
            reason: format!("the link of {}: {reason}", interface.name),
        };
        if path.exists() {
            match self.take_over(&path) {
                Ok(link) => {
                    let xdp = interface.xdp.as_ref();
                    let mode = xdp.map_or(XdpModeInUse::Native, |xdp| xdp.mode);
                    return Ok(Attachment::adopted(link, mode));
                }
                Err(error) if number(&error) == Some(libc::ENOLINK) => {
                    // The interface that it was on is gone; this is another one of that name.
                    fs::remove_file(&path).map_err(|error| refused(error.to_string()))?;
                }
                Err(error) => {
                    return Err(refused(match number(&error) {
                        Some(libc::EINVAL) => {
                            "the kernel does not put this program in the place of \
                            the one that is there, which was loaded in another way"
                                .to_owned()
                        }
                        _ => error.to_string(),
                    }));
                }
            }
        }
        let attachment = self.attach(interface, mode)?;
        attachment.pinned(&path).map_err(refused)
    }

    fn take_over(&mut self, path: &Path) -> Result<FdLink, ProgramError> {
        let program: &mut Xdp = self
            .ebpf
            .program_mut(self.programs.xdp)
            .ok_or(ProgramError::NotLoaded)?
            .try_into()?;
        let pinned = PinnedLink::from_pin(path).map_err(link_error)?;
        let link = XdpLink::try_from(FdLink::from(pinned)).map_err(link_error)?;
        let id = program.attach_to_link(link)?;
        FdLink::try_from(program.take_link(id)?).map_err(link_error)
    }
}

fn link_error(error: impl std::error::Error + Send + Sync + 'static) -> ProgramError {
    ProgramError::IOError(io::Error::other(error))
}

fn number(error: &ProgramError) -> Option<i32> {
    if let ProgramError::SyscallError(error) = error {
        error.io_error.raw_os_error()
    } else {
        None
    }
}
