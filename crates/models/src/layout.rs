//! How a model is spread over the machine.

use ytcaption_whisper::Footprint;

/// CTranslate2's own default for one replica; beyond it more threads gain next to nothing.
const MOST_THREADS: usize = 4;
/// Of the memory for models one alone takes no more than this part, so that a second one finds room.
const SHARE_OF_ONE: u64 = 2;
/// Of the machine's memory, this part is for models: the rest is for audio, features and the other roles.
const SHARE_OF_MACHINE: u64 = 2;
/// Assumed where the system does not tell how much memory there is.
const FALLBACK_BYTES: u64 = 4 * 1024 * 1024 * 1024;

/// Replicas that work side by side, and the threads of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Batches computed at the same time; they share the weights.
    pub replicas: usize,
    /// Threads of each.
    pub threads: usize,
}

impl Layout {
    /// The layout for `cores` cores and a model that takes `footprint`, when all models together may take `memory_bytes`;
    /// 0 for `replicas` or `threads` leaves that number to this function.
    ///
    /// One thread a replica and a replica a core, for as far as memory goes: that decodes most. Where memory allows
    /// fewer replicas than cores, each gets the cores that would be idle.
    pub fn choose(replicas: usize, threads: usize, cores: usize, footprint: Footprint, memory_bytes: u64) -> Self {
        let at_once = (cores / threads.max(1)).max(1);
        let left = (memory_bytes / SHARE_OF_ONE).saturating_sub(footprint.weights_bytes);
        let fit = left.checked_div(footprint.replica_bytes).unwrap_or(u64::MAX);
        let fit = usize::try_from(fit).unwrap_or(usize::MAX).max(1);
        let replicas = if replicas == 0 { at_once.min(fit) } else { replicas };
        let threads = if threads == 0 { (cores / replicas).clamp(1, MOST_THREADS) } else { threads };
        Self { replicas, threads }
    }
}

/// Cores that this process may use: its affinity and its cgroup's quota are respected.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Memory for models when no setting says how much, in bytes: half of what the machine, or the cgroup, has.
pub fn default_memory_bytes() -> u64 {
    let machine = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| total_bytes(&text));
    let limit = |path: &str| std::fs::read_to_string(path).ok()?.trim().parse().ok();
    let cgroup: Option<u64> =
        limit("/sys/fs/cgroup/memory.max").or_else(|| limit("/sys/fs/cgroup/memory/memory.limit_in_bytes"));
    let least = machine.into_iter().chain(cgroup).min().unwrap_or(FALLBACK_BYTES);
    least / SHARE_OF_MACHINE
}

/// `MemTotal` of `/proc/meminfo`, which counts in KiB.
fn total_bytes(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    fn footprint(weights: u64, replica: u64) -> Footprint {
        Footprint { weights_bytes: weights * MIB, replica_bytes: replica * MIB }
    }

    #[test]
    fn replicas_times_threads_stay_within_the_cores() {
        let auto = |cores, replica, memory| {
            let Layout { replicas, threads } = Layout::choose(0, 0, cores, footprint(100, replica), memory * MIB);
            (replicas, threads)
        };
        assert_eq!(auto(8, 250, 8192), (8, 1), "a replica a core");
        assert_eq!(auto(16, 1900, 8192), (2, 4), "memory for two: each gets the threads that are of use");
        assert_eq!(auto(2, 5000, 8192), (1, 2), "one always");
        assert_eq!(auto(1, 1, 1), (1, 1));
        assert_eq!(Layout::choose(0, 0, 8, footprint(4000, 100), 8192 * MIB).replicas, 1, "the weights leave no room");
        for cores in 1..64 {
            for replica in [1, 100, 1000, 10_000] {
                let (replicas, threads) = auto(cores, replica, 16_384);
                assert!(replicas * threads <= cores && replicas > 0 && threads > 0, "{cores} cores, {replica} MiB");
            }
        }
    }

    #[test]
    fn what_was_set_is_taken() {
        assert_eq!(Layout::choose(0, 4, 16, footprint(1, 1), 8192 * MIB), Layout { replicas: 4, threads: 4 });
        assert_eq!(Layout::choose(3, 0, 8, footprint(1, 1), 8192 * MIB), Layout { replicas: 3, threads: 2 });
        assert_eq!(Layout::choose(9, 2, 4, footprint(1, 1), MIB), Layout { replicas: 9, threads: 2 });
    }

    #[test]
    fn the_machine_tells_how_much_memory_it_has() {
        assert_eq!(total_bytes("MemTotal:       16384 kB\nMemFree: 1 kB"), Some(16 * MIB));
        assert_eq!(total_bytes("MemFree: 1 kB"), None);
        assert!(default_memory_bytes() > 0 && cores() > 0);
    }
}
