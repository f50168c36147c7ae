//! Directories for temporary files of workers, and the removal of those that killed processes have left.
//!
//! Each process holds a lock (`flock`) on its directories for as long as it lives. A directory whose lock is free is left of a
//! process that has ended, in whatever container it was.

use std::convert::Infallible;
use std::fs::{DirBuilder, File, Permissions};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

/// How often a worker removes what killed processes have left.
const INTERVAL: Duration = Duration::from_mins(5);
/// Directories of media and audio are for this user only, whatever the umask.
const MODE: u32 = 0o700;

/// A directory that is removed when dropped, and by another worker if this process is killed.
#[derive(Debug)]
pub(super) struct WorkDirectory {
    directory: TempDir,
    /// The lock is the open file: it ends with the process, however that ends.
    _lock: File,
}

impl WorkDirectory {
    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }
}

/// Creates a directory in `parent`. Its name begins with `kind` and the id of this process.
pub(super) fn create(parent: &Path, kind: &str) -> std::io::Result<WorkDirectory> {
    // No sweep may come between the directory and its lock.
    let sweep_lock = File::open(parent)?;
    sweep_lock.lock_shared()?;
    let prefix = format!("{kind}-{}-", std::process::id());
    let directory =
        tempfile::Builder::new().prefix(&prefix).permissions(Permissions::from_mode(MODE)).tempdir_in(parent)?;
    let lock = File::open(directory.path())?;
    lock.lock()?;
    Ok(WorkDirectory { directory, _lock: lock })
}

/// Creates `parent` if it does not exist, and removes from it the directories of this kind whose process has ended.
pub(super) fn clean(parent: &Path, kind: &str) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(MODE).create(parent)?;
    for (directory, _lock) in left_behind(parent, kind)? {
        let shown = directory.display();
        match std::fs::remove_dir_all(&directory) {
            Ok(()) => tracing::info!(directory = %shown, "removed the temporary files of a killed worker"),
            Err(error) => tracing::warn!(directory = %shown, %error, "temporary files cannot be removed"),
        }
    }
    Ok(())
}

/// Cleans from time to time, for as long as it is polled.
pub(super) async fn keep_clean(parent: &Path, kind: &'static str) -> Infallible {
    loop {
        tokio::time::sleep(INTERVAL).await;
        let parent = parent.to_owned();
        let cleaned = tokio::task::spawn_blocking(move || clean(&parent, kind)).await;
        if let Ok(Err(error)) = cleaned {
            tracing::warn!(%error, "the work directory cannot be searched for what killed workers have left");
        }
    }
}

/// The directories whose process has ended, with their locks, which are this process's now.
fn left_behind(parent: &Path, kind: &str) -> std::io::Result<Vec<(PathBuf, File)>> {
    let sweep_lock = File::open(parent)?;
    sweep_lock.lock()?;
    let entries = std::fs::read_dir(parent)?.flatten();
    let of_kind = entries.filter(|entry| entry.file_name().to_str().is_some_and(|name| is_of_kind(name, kind)));
    let with_lock = |directory: PathBuf| {
        // Where the file system has no locks, nothing is known and nothing removed.
        let lock = File::open(&directory).ok()?;
        lock.try_lock().is_ok().then_some((directory, lock))
    };
    Ok(of_kind.filter_map(|entry| with_lock(entry.path())).collect())
}

/// Whether a directory of this kind has such a name: the kind, the id of a process, and some letters.
fn is_of_kind(name: &str, kind: &str) -> bool {
    let owner = || name.strip_prefix(kind)?.strip_prefix('-')?.split_once('-')?.0.parse::<i32>().ok();
    owner().is_some()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn other_users_cannot_see_what_is_in_them() {
        let home = tempfile::tempdir().unwrap();
        let parent = home.path().join("work");
        clean(&parent, "download").unwrap();
        let own = create(&parent, "download").unwrap();
        for directory in [parent.as_path(), own.path()] {
            let mode = std::fs::metadata(directory).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, MODE, "{}", directory.display());
        }
    }

    #[test]
    fn directories_without_a_living_process_are_removed_at_once() {
        let parent = tempfile::tempdir().unwrap();
        let own = create(parent.path(), "download").unwrap();
        let path = |name: &str| parent.path().join(name);
        // The same process id, as in another container, and no one holds its lock.
        let left = path(&format!("download-{}-a", std::process::id()));
        let (another_kind, other) = (path("audio-1-a"), path("download-x"));
        for path in [&left, &another_kind, &other] {
            std::fs::create_dir(path).unwrap();
            std::fs::write(path.join("media"), "bytes").unwrap();
        }
        clean(parent.path(), "download").unwrap();
        assert!(!left.exists(), "its process has ended");
        assert!(own.path().exists() && another_kind.exists() && other.exists());
        let removed = own.path().to_owned();
        drop(own);
        assert!(!removed.exists());
    }

    #[test]
    fn a_killed_process_loses_its_directory_and_a_living_one_does_not() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("download-1-a");
        std::fs::create_dir(&directory).unwrap();
        // Another process that holds the lock: flock(1) of util-linux.
        let mut holder = std::process::Command::new("flock")
            .args(["--exclusive", directory.to_str().unwrap(), "--command", "echo locked; exec sleep 60"])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = [0; 7];
        std::io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut line).unwrap();
        clean(parent.path(), "download").unwrap();
        assert!(directory.exists(), "its process lives");
        // The shell and its sleep inherit the lock from flock.
        let group = std::process::Command::new("pkill").args(["-9", "-P", &holder.id().to_string()]).status().unwrap();
        assert!(group.success());
        holder.kill().unwrap();
        holder.wait().unwrap();
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        while directory.exists() {
            assert!(std::time::Instant::now() < deadline, "it was not removed");
            clean(parent.path(), "download").unwrap();
        }
    }
}
