//! What the kernel lets a child reach (Landlock, <https://docs.kernel.org/userspace-api/landlock.html>).
//!
//! Linux 5.13 has it for files, 6.7 for TCP, later kernels for more. On an older one a child runs without the rules that the
//! kernel lacks, see [`enforcement`].

use std::io;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, LandlockStatus, NetPort, RestrictionStatus, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};

use crate::command::ends_with_parent;
use crate::limits::processes_are_limited;
use crate::system_calls;

/// The newest kernel interface that is used.
const NEWEST: ABI = ABI::V10;
/// Programs discard output by writing it there.
const NULL: &str = "/dev/null";

/// What a child may reach.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rules {
    /// Files, and directories with all that is in them, that it can read and execute.
    pub(crate) read: Vec<PathBuf>,
    /// Those that it can also write, create and remove.
    pub(crate) write: Vec<PathBuf>,
    /// The one port that it can connect to by TCP.
    pub(crate) port: Option<u16>,
}

impl Rules {
    /// Restricts the thread, and all that it starts from now on, as far as the kernel can.
    pub(crate) fn restrict_thread(&self) -> io::Result<RestrictionStatus> {
        let status = self.try_restrict_thread().map_err(io::Error::other)?;
        // A kernel without it is like one without Landlock, see `enforcement`.
        let _ = system_calls::restrict_thread(self.port.is_some());
        Ok(status)
    }

    fn try_restrict_thread(&self) -> Result<RestrictionStatus, RulesetError> {
        let write = self.write.iter().map(PathBuf::as_path).chain([Path::new(NULL)]);
        Ruleset::default()
            .handle_access(AccessFs::from_all(NEWEST))?
            .handle_access(AccessNet::from_all(NEWEST))?
            .scope(Scope::from_all(NEWEST))?
            .create()?
            // A path that does not exist, or that this process cannot open, is skipped: it stays closed.
            .add_rules(path_beneath_rules(&self.read, AccessFs::from_read(NEWEST)))?
            .add_rules(path_beneath_rules(write, AccessFs::from_all(NEWEST)))?
            .add_rules(self.port.map(|port| Ok::<_, RulesetError>(NetPort::new(port, AccessNet::ConnectTcp))))?
            .restrict_self()
    }
}

/// What this machine can enforce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is there or missing for itself")]
pub struct Enforcement {
    /// A child can open its own files only.
    pub files: bool,
    /// A child can connect to its own port only (TCP).
    pub network: bool,
    /// A child can use no other sockets than those of TCP, and no system call that programs do not need.
    pub system_calls: bool,
    /// A child can start a limited number of processes only.
    pub processes: bool,
    /// A child ends when this process is killed.
    pub death: bool,
}

impl Enforcement {
    /// What is not enforced, for the operator; `None` if all is.
    pub fn gaps(self) -> Option<String> {
        let gaps = [
            (self.files, "files of this user (Landlock, Linux 5.13 or newer)"),
            (self.network, "other TCP connections than to their proxy (Landlock, Linux 6.7 or newer)"),
            (self.system_calls, "other sockets and rarely used system calls (seccomp)"),
            (self.processes, "starting any number of processes (the kernel does not limit root: use another user)"),
            (self.death, "running on after this program was killed (setpriv, of the package util-linux)"),
        ];
        let gaps: Vec<&str> = gaps.iter().filter(|(enforced, _)| !enforced).map(|(_, gap)| *gap).collect();
        (!gaps.is_empty()).then(|| format!("yt-dlp and ffmpeg are not kept from: {}", gaps.join("; ")))
    }
}

/// What this machine can enforce; found by doing it.
pub fn enforcement() -> Enforcement {
    let restricted = std::thread::spawn(|| Rules::default().restrict_thread()).join();
    let abi = match restricted {
        Ok(Ok(status)) if status.ruleset != RulesetStatus::NotEnforced => match status.landlock {
            LandlockStatus::Available { effective_abi, .. } => effective_abi,
            LandlockStatus::NotEnabled | LandlockStatus::NotImplemented => ABI::Unsupported,
        },
        _ => ABI::Unsupported,
    };
    let filtered = std::thread::spawn(|| system_calls::restrict_thread(false).is_ok()).join();
    Enforcement {
        files: abi >= ABI::V1,
        network: abi >= ABI::V4,
        system_calls: filtered.unwrap_or(false),
        processes: processes_are_limited(),
        death: ends_with_parent(),
    }
}
