//! The user the servers run as: this one, or an ordinary one when this one is root, as which
//! Postgres refuses to run.

use std::fs::{DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;

use nix::unistd::{User, geteuid};
use tokio::process::Command;

use super::{ManagedError, directory_error};

/// Ordinary users that exist where Postgres is installed, or everywhere.
const SERVICE_USERS: [&str; 2] = ["postgres", "nobody"];
/// Entered by the servers' user only.
const PRIVATE_MODE: u32 = 0o700;
/// "Others may pass through", in a directory's mode.
const OTHERS_PASS: u32 = 0o001;

/// Whom the servers run as.
#[derive(Debug, Clone)]
pub(super) struct RunAs(Option<User>);

impl RunAs {
    /// This user, or when it is root an ordinary one.
    pub(super) fn choose() -> Result<Self, ManagedError> {
        if !geteuid().is_root() {
            return Ok(Self(None));
        }
        SERVICE_USERS.iter().find_map(|name| User::from_name(name).ok().flatten()).map(|user| Self(Some(user))).ok_or_else(
            || ManagedError::Unsuitable("Postgres does not run as root, and there is neither a user `postgres` nor `nobody`; start `ytcaption up` as an ordinary user".to_owned()),
        )
    }

    /// Makes `command` run as this user.
    pub(super) fn apply(&self, command: &mut Command) {
        if let Some(user) = &self.0 {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
    }

    /// Makes the directory `path` this user's, closed to all others.
    pub(super) fn private_directory(&self, path: &Path) -> Result<(), ManagedError> {
        let failed = directory_error(path);
        self.make_private(path).map_err(failed)
    }

    fn make_private(&self, path: &Path) -> std::io::Result<()> {
        match DirBuilder::new().mode(PRIVATE_MODE).create(path) {
            // A directory in a public place that somebody else made first is a trap.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                let owner = std::fs::symlink_metadata(path)?;
                let expected = [geteuid().as_raw(), self.0.as_ref().map_or(geteuid(), |user| user.uid).as_raw()];
                if !owner.is_dir() || !expected.contains(&owner.uid()) {
                    return Err(std::io::Error::other("it is not ours; remove it"));
                }
            }
            made => made?,
        }
        std::fs::set_permissions(path, Permissions::from_mode(PRIVATE_MODE))?;
        self.own(path)
    }

    /// Gives the file or directory `path` to this user.
    pub(super) fn own(&self, path: &Path) -> std::io::Result<()> {
        match &self.0 {
            Some(user) => chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw())),
            None => Ok(()),
        }
    }

    /// Checks that this user can reach `directory` through the directories above it.
    pub(super) fn can_reach(&self, directory: &Path) -> Result<(), ManagedError> {
        let Some(user) = &self.0 else { return Ok(()) };
        for above in directory.ancestors() {
            let closed = std::fs::metadata(above)
                .is_ok_and(|directory| directory.mode() & OTHERS_PASS == 0 && directory.uid() != user.uid.as_raw());
            if closed {
                return Err(ManagedError::Unsuitable(format!(
                    "Postgres does not run as root, and the user `{}`, as which it would run, cannot enter {}; \
                     choose a data directory elsewhere with --data-dir, such as /var/lib/ytcaption",
                    user.name,
                    above.display()
                )));
            }
        }
        Ok(())
    }
}
