//! Where a model grows until it is whole: a hidden folder beside those of the others, which becomes its own in one step.

use std::fs::File;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with, statvfs};
use serde::{Deserialize, Serialize};

use super::{HubError, Reference};

/// How the hidden folders begin; the model's name and the commit follow.
const PREFIX: &str = ".pull-";
/// Checksums in the format of `sha256sum`.
const CHECKSUMS: &str = "SHA256SUMS";
/// Says where a model comes from.
const SOURCE: &str = "source.json";
/// As much of a commit as tells it from others of its repository.
const SHORT_COMMIT: usize = 12;

/// Where a model in a folder comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Source {
    pub(super) repository: String,
    pub(super) commit: String,
}

impl Source {
    /// Of the model in `folder`, if it was fetched.
    pub(super) fn of(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(folder.join(SOURCE)).ok()?).ok()
    }
}

/// The repository that the model in `folder` was fetched from.
pub(crate) fn repository_of(folder: &Path) -> Option<String> {
    Source::of(folder).map(|source| source.repository)
}

/// A model's hidden folder; nobody else has it.
pub(super) struct Staging {
    folder: PathBuf,
    models: PathBuf,
    name: String,
    /// Holds the lock.
    _lock: File,
}

impl Staging {
    /// Makes the folder, or takes the one that an earlier attempt at the same commit left; those of other commits go.
    pub(super) fn take(models: &Path, reference: &Reference, commit: &str) -> Result<Self, HubError> {
        let name = reference.name.clone();
        let own = format!("{PREFIX}{name}-{}", &commit[..SHORT_COMMIT.min(commit.len())]);
        let folder = models.join(&own);
        std::fs::create_dir_all(&folder).map_err(HubError::io(&folder))?;
        let Some(lock) = lock(&folder)? else { return Err(HubError::Busy { name }) };
        for other in left_by(models, &name).into_iter().filter(|other| *other != folder) {
            if let Ok(Some(_lock)) = self::lock(&other) {
                std::fs::remove_dir_all(&other).map_err(HubError::io(&other))?;
            }
        }
        Ok(Self { folder, models: models.to_owned(), name, _lock: lock })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Bytes of a file that have arrived.
    pub(super) fn has(&self, file: &str) -> u64 {
        std::fs::metadata(self.folder.join(file)).map_or(0, |metadata| metadata.len())
    }

    /// Refuses if `needed` more bytes find no room.
    pub(super) fn check_room(&self, needed: u64) -> Result<(), HubError> {
        let disk = statvfs(&self.folder).map_err(|error| HubError::io(&self.folder)(error.into()))?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        if needed <= free { Ok(()) } else { Err(HubError::DiskFull { folder: self.models.clone(), needed, free }) }
    }

    /// Writes down what the files are and where they come from.
    pub(super) fn seal(&self, sums: &[(&str, String)], source: &Source) -> Result<(), HubError> {
        let lines: Vec<String> = sums.iter().map(|(file, sha256)| format!("{sha256}  {file}\n")).collect();
        let source = serde_json::to_string_pretty(source).map_err(|error| HubError::io(&self.folder)(error.into()))?;
        for (file, content) in [(CHECKSUMS, lines.concat()), (SOURCE, source + "\n")] {
            let path = self.folder.join(file);
            let write = || {
                std::fs::write(&path, content)?;
                File::open(&path)?.sync_all()
            };
            write().map_err(HubError::io(&path))?;
        }
        File::open(&self.folder).and_then(|folder| folder.sync_all()).map_err(HubError::io(&self.folder))
    }

    /// Puts the model under its name; what was there before is gone. There is no moment at which there is neither.
    pub(super) fn publish(self) -> Result<PathBuf, HubError> {
        let target = self.models.join(&self.name);
        let failed = HubError::io(&target);
        let publish = || {
            if target.exists() {
                renameat_with(CWD, &self.folder, CWD, &target, RenameFlags::EXCHANGE)?;
                std::fs::remove_dir_all(&self.folder)?;
            } else {
                renameat_with(CWD, &self.folder, CWD, &target, RenameFlags::NOREPLACE)?;
            }
            File::open(&self.models)?.sync_all()
        };
        publish().map_err(failed)?;
        Ok(target)
    }

    /// Throws all of it away.
    pub(super) fn discard(self) {
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            tracing::warn!(folder = %self.folder.display(), %error, "a useless folder stays");
        }
    }
}

/// The hidden folders of a model.
fn left_by(models: &Path, name: &str) -> Vec<PathBuf> {
    let Ok(inside) = std::fs::read_dir(models) else { return Vec::new() };
    let is_commit = |rest: &str| rest.len() == SHORT_COMMIT && rest.bytes().all(|digit| digit.is_ascii_hexdigit());
    let ours = |path: &PathBuf| {
        let rest = path.file_name().and_then(|own| own.to_str()?.strip_prefix(&format!("{PREFIX}{name}-")));
        rest.is_some_and(is_commit)
    };
    inside.filter_map(|entry| Some(entry.ok()?.path())).filter(ours).collect()
}

/// Locks a folder as long as the answer lives; `None` if another process has it.
fn lock(folder: &Path) -> Result<Option<File>, HubError> {
    let file = File::open(folder).map_err(HubError::io(folder))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(std::fs::TryLockError::WouldBlock) => Ok(None),
        Err(std::fs::TryLockError::Error(source)) => Err(HubError::io(folder)(source)),
    }
}
