//! What a child may use of the machine.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, geteuid, getrlimit, prlimit};
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
    /// Processes and threads that its user may have beyond those that there are when it starts; beyond it, none can be
    /// started. The kernel counts for each user, and does not limit root (see `processes_are_limited`).
    pub processes: u64,
}

impl Limits {
    /// Sets the limits of a process that has just been started: it needs longer to load its libraries.
    /// `first_cpu` is its time on the processor until [`Limits::allow_cpu`].
    pub(crate) fn apply(self, process: Child, first_cpu: Option<Duration>) -> io::Result<Child> {
        let id = id_of(process.id());
        // Dropping the process kills it.
        set(id, Resource::Data, self.memory_bytes, self.memory_bytes)?;
        set(id, Resource::Fsize, self.file_bytes, self.file_bytes)?;
        set(id, Resource::Core, 0, 0)?;
        if processes_are_limited() {
            let processes = tasks_of_this_user().saturating_add(self.processes);
            set(id, Resource::Nproc, processes, processes)?;
        }
        self.set_cpu(id, first_cpu.unwrap_or(self.cpu))?;
        Ok(process)
    }

    /// Lets the process have all of its time on the processor.
    pub(crate) fn allow_cpu(self, process: &Child) -> io::Result<()> {
        match id_of(process.id()) {
            None => Ok(()),
            id => self.set_cpu(id, self.cpu),
        }
    }

    fn set_cpu(self, id: Option<Pid>, cpu: Duration) -> io::Result<()> {
        set(id, Resource::Cpu, cpu.as_secs().max(1), self.cpu.as_secs().max(1) + CPU_GRACE_SECONDS)
    }
}

/// One that has been waited for has no id.
fn id_of(id: Option<u32>) -> Option<Pid> {
    id.and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw)
}

fn set(id: Option<Pid>, resource: Resource, limit: u64, maximum: u64) -> io::Result<()> {
    // What this process inherited may be less, and cannot be raised.
    let inherited = getrlimit(resource);
    let at_most = |limit: u64, inherited: Option<u64>| Some(inherited.map_or(limit, |most| most.min(limit)));
    let maximum = at_most(maximum, inherited.maximum);
    let current = at_most(at_most(limit, inherited.current).unwrap_or(limit), maximum);
    prlimit(id, resource, Rlimit { current, maximum })?;
    Ok(())
}

/// Whether the kernel limits the processes of this user: not those of root.
pub(crate) fn processes_are_limited() -> bool {
    !geteuid().is_root()
}

/// Processes and threads of this user. Those that this process may not see do not count.
fn tasks_of_this_user() -> u64 {
    /// Fields of `/proc/PID/stat` between the name and the number of threads.
    const BEFORE_THREADS: usize = 17;
    let own = geteuid().as_raw();
    let threads = |entry: &std::fs::DirEntry| -> Option<u64> {
        entry.metadata().ok().filter(|process| process.uid() == own)?;
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        stat.rsplit_once(')')?.1.split_whitespace().nth(BEFORE_THREADS)?.parse().ok()
    };
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| threads(&entry)).sum()
}
