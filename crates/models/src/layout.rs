//! How a model is spread over the machine.

use crate::Footprint;

/// CTranslate2's own default for one replica; beyond it more threads gain next to nothing.
const MAX_THREADS: usize = 4;
/// One model takes at most this part (a half) of the memory for models, so that a second one fits.
const SHARE_OF_ONE: u64 = 2;
/// This part (a half) of the machine's memory is for models: the rest is for audio, features and the other roles.
const SHARE_OF_MACHINE: u64 = 2;
/// Assumed where the operating system does not report its memory.
const FALLBACK_BYTES: u64 = 4 * 1024 * 1024 * 1024;

/// How many replicas of a model work side by side, and the threads of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Batches computed at the same time; they share the weights. At least 1.
    pub replicas: usize,
    /// Threads of each replica. At least 1.
    pub threads: usize,
}

impl Layout {
    /// The layout for `cores` cores and a model that takes `footprint`, when all models together may take `memory_bytes`;
    /// 0 for `replicas` or `threads` lets this function choose.
    ///
    /// One thread a replica and one replica a core, as far as memory allows: that decodes most. Where memory allows fewer
    /// replicas than cores, each gets some of the cores that would be idle.
    pub fn choose(replicas: usize, threads: usize, cores: usize, footprint: Footprint, memory_bytes: u64) -> Self {
        let wanted = (cores / threads.max(1)).max(1);
        let left = (memory_bytes / SHARE_OF_ONE).saturating_sub(footprint.weights_bytes);
        let fit = left.checked_div(footprint.replica_bytes).unwrap_or(u64::MAX);
        let fit = usize::try_from(fit).unwrap_or(usize::MAX).max(1);
        let replicas = if replicas == 0 { wanted.min(fit) } else { replicas };
        let threads = if threads == 0 { (cores / replicas).clamp(1, MAX_THREADS) } else { threads };
        Self { replicas, threads }
    }
}

/// Cores that this process may use: its affinity and its cgroup's quota are respected.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Default of the memory for models, in bytes: half of what the machine, or the cgroup, has.
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
        assert_eq!(auto(16, 1900, 8192), (2, 4), "memory for two: each gets as many threads as are useful");
        assert_eq!(auto(2, 5000, 8192), (1, 2), "at least one");
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
    fn set_numbers_are_kept() {
        assert_eq!(Layout::choose(0, 4, 16, footprint(1, 1), 8192 * MIB), Layout { replicas: 4, threads: 4 });
        assert_eq!(Layout::choose(3, 0, 8, footprint(1, 1), 8192 * MIB), Layout { replicas: 3, threads: 2 });
        assert_eq!(Layout::choose(9, 2, 4, footprint(1, 1), MIB), Layout { replicas: 9, threads: 2 });
    }

    #[test]
    fn the_memory_of_the_machine_is_read() {
        assert_eq!(total_bytes("MemTotal:       16384 kB\nMemFree: 1 kB"), Some(16 * MIB));
        assert_eq!(total_bytes("MemFree: 1 kB"), None);
        assert!(default_memory_bytes() > 0 && cores() > 0);
    }
}
