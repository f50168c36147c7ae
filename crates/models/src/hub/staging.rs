//! The directory of a model while it is downloaded: a hidden one beside the others, which is renamed in one step.

use std::fs::File;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with, statvfs};
use serde::{Deserialize, Serialize};

use super::{HubError, Reference};

/// Prefix of the hidden directories; the model's name and the commit follow.
const PREFIX: &str = ".pull-";
/// Checksums in the format of `sha256sum`.
const CHECKSUMS: &str = "SHA256SUMS";
/// Names the repository and the commit of a model.
const SOURCE: &str = "source.json";
/// Length of the part of a commit that identifies it within its repository.
const SHORT_COMMIT: usize = 12;

/// The repository and the commit of a downloaded model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Source {
    pub(super) repository: String,
    pub(super) commit: String,
}

impl Source {
    /// That of the model in `dir`, if it was downloaded.
    pub(super) fn load(dir: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(dir.join(SOURCE)).ok()?).ok()
    }
}

/// The repository that the model in `dir` was downloaded from.
pub(crate) fn repository_of(dir: &Path) -> Option<String> {
    Source::load(dir).map(|source| source.repository)
}

/// A model's hidden directory, locked against other processes.
pub(super) struct Staging {
    directory: PathBuf,
    models: PathBuf,
    name: String,
    /// Holds the lock of the directory.
    _lock: File,
}

impl Staging {
    /// Creates the directory, or opens the one that an earlier attempt at the same commit left; removes those of other
    /// commits.
    pub(super) fn open(models: &Path, reference: &Reference, commit: &str) -> Result<Self, HubError> {
        let name = reference.name.clone();
        let own = format!("{PREFIX}{name}-{}", &commit[..SHORT_COMMIT.min(commit.len())]);
        let directory = models.join(&own);
        std::fs::create_dir_all(&directory).map_err(HubError::io(&directory))?;
        let Some(lock) = lock(&directory)? else { return Err(HubError::Busy { name }) };
        for other in existing(models, &name).into_iter().filter(|other| *other != directory) {
            if let Ok(Some(_lock)) = self::lock(&other) {
                std::fs::remove_dir_all(&other).map_err(HubError::io(&other))?;
            }
        }
        Ok(Self { directory, models: models.to_owned(), name, _lock: lock })
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Bytes of a file that have arrived.
    pub(super) fn has(&self, file: &str) -> u64 {
        std::fs::metadata(self.directory.join(file)).map_or(0, |metadata| metadata.len())
    }

    /// Fails if `needed` more bytes do not fit on the disk.
    pub(super) fn check_space(&self, needed: u64) -> Result<(), HubError> {
        let disk = statvfs(&self.directory).map_err(|error| HubError::io(&self.directory)(error.into()))?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        if needed <= free { Ok(()) } else { Err(HubError::DiskFull { directory: self.models.clone(), needed, free }) }
    }

    /// Writes the checksums and the source of the files.
    pub(super) fn seal(&self, sums: &[(&str, String)], source: &Source) -> Result<(), HubError> {
        let lines: Vec<String> = sums.iter().map(|(file, sha256)| format!("{sha256}  {file}\n")).collect();
        let source =
            serde_json::to_string_pretty(source).map_err(|error| HubError::io(&self.directory)(error.into()))?;
        for (file, content) in [(CHECKSUMS, lines.concat()), (SOURCE, source + "\n")] {
            let path = self.directory.join(file);
            let write = || {
                std::fs::write(&path, content)?;
                File::open(&path)?.sync_all()
            };
            write().map_err(HubError::io(&path))?;
        }
        File::open(&self.directory).and_then(|dir| dir.sync_all()).map_err(HubError::io(&self.directory))
    }

    /// Renames the directory to the model's name and removes the previous one. One of the two exists at every moment.
    pub(super) fn publish(self) -> Result<PathBuf, HubError> {
        let target = self.models.join(&self.name);
        let failed = HubError::io(&target);
        let publish = || {
            if target.exists() {
                renameat_with(CWD, &self.directory, CWD, &target, RenameFlags::EXCHANGE)?;
                std::fs::remove_dir_all(&self.directory)?;
            } else {
                renameat_with(CWD, &self.directory, CWD, &target, RenameFlags::NOREPLACE)?;
            }
            File::open(&self.models)?.sync_all()
        };
        publish().map_err(failed)?;
        Ok(target)
    }

    /// Removes the directory.
    pub(super) fn discard(self) {
        if let Err(error) = std::fs::remove_dir_all(&self.directory) {
            tracing::warn!(directory = %self.directory.display(), %error, "a directory without use could not be removed");
        }
    }
}

/// The hidden directories of a model.
fn existing(models: &Path, name: &str) -> Vec<PathBuf> {
    let Ok(inside) = std::fs::read_dir(models) else { return Vec::new() };
    let is_commit = |rest: &str| rest.len() == SHORT_COMMIT && rest.bytes().all(|digit| digit.is_ascii_hexdigit());
    let ours = |path: &PathBuf| {
        let rest = path.file_name().and_then(|own| own.to_str()?.strip_prefix(&format!("{PREFIX}{name}-")));
        rest.is_some_and(is_commit)
    };
    inside.filter_map(|entry| Some(entry.ok()?.path())).filter(ours).collect()
}

/// Locks a directory as long as the returned file exists; `None` if another process has locked it.
fn lock(dir: &Path) -> Result<Option<File>, HubError> {
    let file = File::open(dir).map_err(HubError::io(dir))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(std::fs::TryLockError::WouldBlock) => Ok(None),
        Err(std::fs::TryLockError::Error(source)) => Err(HubError::io(dir)(source)),
    }
}
