//! What is in a backup, and whether it still is.

use std::fs::{DirBuilder, File};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Name of the manifest itself.
const FILE: &str = "manifest.json";
/// The form that this program writes.
const FORMAT: u32 = 1;
/// Bytes read at a time.
const PIECE: usize = 256 * 1024;
/// Entered by the owner only.
const DIRECTORY_MODE: u32 = 0o700;
/// Read and written by the owner only.
const FILE_MODE: u32 = 0o600;

/// The contents of a backup.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    /// The form of the backup.
    pub(super) ytcaption_backup: u32,
    /// The version of the program that took it.
    pub(super) version: String,
    /// When it was begun.
    pub(super) taken_at: DateTime<Utc>,
    /// The bucket of audio and uploads if they are not in it.
    pub(super) blobs_elsewhere: Option<String>,
    /// What is in it.
    pub(super) files: Vec<Entry>,
}

/// One file of a backup.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    /// Its path within the backup.
    pub(super) path: String,
    /// Its length.
    pub(super) bytes: u64,
    /// Its SHA-256 in hexadecimal digits.
    pub(super) sha256: String,
}

impl Manifest {
    /// An empty one.
    pub(super) fn new(taken_at: DateTime<Utc>, blobs_elsewhere: Option<String>) -> Self {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Self { ytcaption_backup: FORMAT, version, taken_at, blobs_elsewhere, files: Vec::new() }
    }

    /// How many bytes the backup has.
    pub(super) fn bytes(&self) -> u64 {
        self.files.iter().map(|entry| entry.bytes).sum()
    }

    /// The entries within a directory of the backup, with what follows its name.
    pub(super) fn within<'a>(&'a self, directory: &'a str) -> impl Iterator<Item = (&'a Entry, &'a str)> {
        self.files.iter().filter_map(move |entry| Some((entry, entry.path.strip_prefix(directory)?.strip_prefix('/')?)))
    }

    /// Adds a file that is in the backup already.
    pub(super) fn note(&mut self, backup: &Path, path: &str) -> anyhow::Result<()> {
        let (bytes, sha256) = fingerprint(&backup.join(path)).with_context(|| format!("reading {path}"))?;
        self.files.push(Entry { path: path.to_owned(), bytes, sha256 });
        Ok(())
    }

    /// Copies a file into the backup, if it is there; it may go away meanwhile.
    pub(super) fn add(&mut self, from: &Path, backup: &Path, path: &str) -> anyhow::Result<()> {
        match copy(from, &backup.join(path)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error).with_context(|| format!("copying {}", from.display())),
            Ok((bytes, sha256)) => {
                self.files.push(Entry { path: path.to_owned(), bytes, sha256 });
                Ok(())
            }
        }
    }

    /// Completes the backup.
    pub(super) fn write(&self, backup: &Path) -> anyhow::Result<()> {
        let mut file = File::options().write(true).create_new(true).mode(FILE_MODE).open(backup.join(FILE))?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        Ok(file.sync_all()?)
    }

    /// Reads the manifest of a backup and compares every file with it; `progress` receives how many bytes were read, of
    /// how many.
    pub(super) fn check(backup: &Path, progress: impl Fn(u64, u64)) -> anyhow::Result<Self> {
        let path = backup.join(FILE);
        let text = std::fs::read(&path).with_context(|| {
            format!("{} is not a complete backup: cannot read {}", backup.display(), path.display())
        })?;
        let manifest: Self = serde_json::from_slice(&text)
            .with_context(|| format!("{} is not what `ytcaption backup` writes", path.display()))?;
        ensure!(manifest.ytcaption_backup == FORMAT, "the backup is of a newer version of this program");
        let (mut read, total) = (0, manifest.bytes());
        for entry in &manifest.files {
            let inside = Path::new(&entry.path).components().all(|part| matches!(part, Component::Normal(_)));
            ensure!(inside, "{} names a file outside the backup: {}", path.display(), entry.path);
            // To erase a job in a backup, its line or the file is removed; each key proves itself.
            if entry.path == super::DATA_KEYS {
                continue;
            }
            let there = fingerprint(&backup.join(&entry.path));
            let (bytes, sha256) = there.with_context(|| format!("the backup lacks {}", entry.path))?;
            if (bytes, &sha256) != (entry.bytes, &entry.sha256) {
                bail!("{} in the backup is not what was backed up; take another backup", entry.path);
            }
            read += bytes;
            progress(read, total);
        }
        Ok(manifest)
    }
}

/// Makes a directory, closed to others.
pub(super) fn make_directory(path: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(path)
}

/// Copies a file to a place where none is; returns its length and SHA-256.
pub(super) fn copy(from: &Path, to: &Path) -> std::io::Result<(u64, String)> {
    let mut source = File::open(from)?;
    if let Some(directory) = to.parent() {
        make_directory(directory)?;
    }
    let mut target = File::options().write(true).create_new(true).mode(FILE_MODE).open(to)?;
    let copied = pass(&mut source, |piece| target.write_all(piece))?;
    target.sync_all()?;
    Ok(copied)
}

fn fingerprint(path: &Path) -> std::io::Result<(u64, String)> {
    pass(&mut File::open(path)?, |_| Ok(()))
}

fn pass(source: &mut File, mut each: impl FnMut(&[u8]) -> std::io::Result<()>) -> std::io::Result<(u64, String)> {
    let (mut hash, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; PIECE]);
    loop {
        let length = source.read(&mut buffer)?;
        if length == 0 {
            return Ok((bytes, format!("{:x}", hash.finalize())));
        }
        hash.update(&buffer[..length]);
        each(&buffer[..length])?;
        bytes += length as u64;
    }
}

/// All files below a directory, but not what is being written into it (names that begin with a dot).
pub(super) fn files_below(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let (mut files, mut directories) = (Vec::new(), vec![directory.to_owned()]);
    while let Some(directory) = directories.pop() {
        let entries = match std::fs::read_dir(&directory) {
            // Empty directories go away while the system runs.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            let kind = entry.file_type()?;
            if kind.is_dir() {
                directories.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    Ok(files)
}
