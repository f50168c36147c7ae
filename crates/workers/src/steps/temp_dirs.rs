//! Directories for temporary files of workers, and the removal of those that killed processes have left.

use std::fs::{DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::{Duration, SystemTime};

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use tempfile::TempDir;

/// A directory that was changed within this time is kept, whichever process its name says: process ids of one container
/// mean nothing in another.
const MIN_AGE: Duration = Duration::from_hours(24);

/// Directories of media and audio are for this user only, whatever the umask.
const MODE: u32 = 0o700;

/// Creates a directory in `parent`, which is removed when dropped. Its name begins with `kind` and the id of this process.
pub(super) fn create(parent: &Path, kind: &str) -> std::io::Result<TempDir> {
    let prefix = format!("{kind}-{}-", std::process::id());
    tempfile::Builder::new().prefix(&prefix).permissions(Permissions::from_mode(MODE)).tempdir_in(parent)
}

/// Creates `parent` if it does not exist, and removes from it the old directories of this kind whose process has ended.
pub(super) fn clean(parent: &Path, kind: &str) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(MODE).create(parent)?;
    for entry in std::fs::read_dir(parent)?.flatten() {
        let (name, directory) = (entry.file_name(), entry.path());
        let owner = name.to_str().and_then(|name| owner_from_name(name, kind));
        let changed = entry.metadata().and_then(|metadata| metadata.modified());
        if owner.is_some_and(has_ended) && changed.is_ok_and(is_old) {
            let directory = directory.display();
            match std::fs::remove_dir_all(entry.path()) {
                Ok(()) => tracing::info!(%directory, "removed the temporary files of a killed worker"),
                Err(error) => tracing::warn!(%directory, %error, "temporary files cannot be removed"),
            }
        }
    }
    Ok(())
}

/// The process whose directory this is; `None` if it is something else.
fn owner_from_name(name: &str, kind: &str) -> Option<i32> {
    name.strip_prefix(kind)?.strip_prefix('-')?.split_once('-')?.0.parse().ok()
}

fn has_ended(process: i32) -> bool {
    kill(Pid::from_raw(process), None) == Err(Errno::ESRCH)
}

fn is_old(changed: SystemTime) -> bool {
    changed.elapsed().is_ok_and(|age| age > MIN_AGE)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::fs::File;

    use super::*;

    /// Greater than any process id of Linux (`kernel.pid_max` is at most 2^22).
    const NO_PROCESS: i32 = 1 << 24;

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
    fn only_old_directories_of_ended_processes_are_removed() {
        let parent = tempfile::tempdir().unwrap();
        let own = create(parent.path(), "download").unwrap();
        let path = |name: String| parent.path().join(name);
        let [old, fresh, other] =
            [format!("download-{NO_PROCESS}-a"), format!("download-{NO_PROCESS}-b"), "download-x".to_owned()].map(path);
        for path in [&old, &fresh, &other] {
            std::fs::create_dir(path).unwrap();
        }
        let yesterday = SystemTime::now() - 2 * MIN_AGE;
        for path in [&old, &other, &own.path().to_owned()] {
            File::open(path).unwrap().set_modified(yesterday).unwrap();
        }
        clean(parent.path(), "download").unwrap();
        assert!(!old.exists(), "its process has ended");
        assert!(fresh.exists() && other.exists() && own.path().exists());
    }
}
