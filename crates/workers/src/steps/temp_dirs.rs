//! Folders for passing work, and sweeping up those of processes that were killed.

use std::path::Path;
use std::time::{Duration, SystemTime};

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use tempfile::TempDir;

/// A folder is left alone for so long, whoever it belongs to: process ids mean nothing across containers.
const SETTLED: Duration = Duration::from_hours(24);

/// A new folder in `parent`, removed when dropped. Its name begins with `kind` and the id of this process.
pub(super) fn folder(parent: &Path, kind: &str) -> std::io::Result<TempDir> {
    TempDir::with_prefix_in(format!("{kind}-{}-", std::process::id()), parent)
}

/// Makes `parent`, and removes from it the folders of this kind whose process is gone since a day.
pub(super) fn sweep(parent: &Path, kind: &str) -> std::io::Result<()> {
    std::fs::create_dir_all(parent)?;
    for entry in std::fs::read_dir(parent)?.flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| owner_of(name, kind));
        let changed = entry.metadata().and_then(|metadata| metadata.modified());
        if owner.is_some_and(is_gone) && changed.is_ok_and(is_settled) {
            match std::fs::remove_dir_all(entry.path()) {
                Ok(()) => tracing::info!(folder = %entry.path().display(), "removed what a killed worker left behind"),
                Err(error) => tracing::warn!(folder = %entry.path().display(), %error, "cannot be removed"),
            }
        }
    }
    Ok(())
}

/// The process whose folder this is; none if it is something else.
fn owner_of(name: &str, kind: &str) -> Option<i32> {
    name.strip_prefix(kind)?.strip_prefix('-')?.split_once('-')?.0.parse().ok()
}

fn is_gone(process: i32) -> bool {
    kill(Pid::from_raw(process), None) == Err(Errno::ESRCH)
}

fn is_settled(changed: SystemTime) -> bool {
    changed.elapsed().is_ok_and(|age| age > SETTLED)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::fs::File;

    use super::*;

    /// Above what Linux gives out (`kernel.pid_max` is at most 2^22).
    const NOBODY: i32 = 1 << 24;

    #[test]
    fn only_old_folders_of_processes_that_are_gone_are_removed() {
        let parent = tempfile::tempdir().unwrap();
        let own = folder(parent.path(), "download").unwrap();
        let of = |name: String| parent.path().join(name);
        let [old, fresh, other] =
            [format!("download-{NOBODY}-a"), format!("download-{NOBODY}-b"), "download-x".to_owned()].map(of);
        for path in [&old, &fresh, &other] {
            std::fs::create_dir(path).unwrap();
        }
        let yesterday = SystemTime::now() - 2 * SETTLED;
        for path in [&old, &other, &own.path().to_owned()] {
            File::open(path).unwrap().set_modified(yesterday).unwrap();
        }
        sweep(parent.path(), "download").unwrap();
        assert!(!old.exists(), "nobody needs it");
        assert!(fresh.exists() && other.exists() && own.path().exists());
    }
}
