//! What a child may use of the machine.

use std::io;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use tokio::process::Child;

/// Between the signal that a program can handle and the one that it cannot.
const CPU_GRACE_SECONDS: u64 = 5;

/// Limits of one child and, each for itself, of the processes that it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Private writable memory, in bytes: what it allocates, not what it merely reserves (`RLIMIT_DATA`). Beyond it, an
    /// allocation fails.
    pub memory_bytes: u64,
    /// Time on the processor, summed over threads; beyond it, it is killed.
    pub cpu: Duration,
    /// Largest file that it can write, in bytes; beyond it, it is killed.
    pub file_bytes: u64,
}

impl Limits {
    /// Sets the limits of a process that has just been started: it needs longer to load its libraries.
    pub(crate) fn apply(self, process: Child) -> io::Result<Child> {
        // One that has been waited for has no id; this one has not.
        let id = process.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let cpu = self.cpu.as_secs().max(1);
        for (resource, limit, maximum) in [
            (Resource::Data, self.memory_bytes, self.memory_bytes),
            (Resource::Cpu, cpu, cpu + CPU_GRACE_SECONDS),
            (Resource::Fsize, self.file_bytes, self.file_bytes),
            (Resource::Core, 0, 0),
        ] {
            // What the process inherited may be less, and cannot be raised.
            let inherited = getrlimit(resource);
            let at_most = |limit: u64, inherited: Option<u64>| Some(inherited.map_or(limit, |most| most.min(limit)));
            let maximum = at_most(maximum, inherited.maximum);
            let current = at_most(at_most(limit, inherited.current).unwrap_or(limit), maximum);
            // Dropping the process kills it.
            prlimit(id, resource, Rlimit { current, maximum })?;
        }
        Ok(process)
    }
}
