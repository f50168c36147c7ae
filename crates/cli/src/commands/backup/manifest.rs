//! What is in a backup, who made it, and whether it is unchanged.

use std::fs::{DirBuilder, File};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use ytcaption_eventstore::DUMPED_TABLES;
use ytcaption_eventstore::seal::{SealingKey, VerifyingKey, note};

use super::{BLOBS, DATA_KEYS, KEY_NAMES, SETTINGS, table_path};

/// Name of the manifest itself.
const FILE: &str = "manifest.json";
/// Its signature, a signed note (C2SP): [`ORIGIN`], and the SHA-256 of the manifest in hexadecimal digits.
const SIGNATURE: &str = "manifest.json.sig";
/// First line of the signature's text, so that a signature of anything else is not one of a backup.
const ORIGIN: &str = "ytcaption/backup/v1";
/// The form that this program writes.
const FORMAT: u32 = 2;
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
    /// The newest step of the database's schema.
    pub(super) schema_version: i64,
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
        Self { ytcaption_backup: FORMAT, version, schema_version: 0, taken_at, blobs_elsewhere, files: Vec::new() }
    }

    /// The entry of that path.
    pub(super) fn entry(&self, path: &str) -> Option<&Entry> {
        self.files.iter().find(|entry| entry.path == path)
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

    /// Completes the backup and signs it.
    pub(super) fn write(&self, backup: &Path, key: &SealingKey) -> anyhow::Result<()> {
        let text = serde_json::to_vec_pretty(self)?;
        let signature = note::sign(&signed_text(&text), key);
        for (name, content) in [(FILE, text.as_slice()), (SIGNATURE, signature.as_bytes())] {
            let mut file = create(&backup.join(name))?;
            file.write_all(content)?;
            file.sync_all()?;
        }
        Ok(())
    }

    /// Reads the manifest of a backup, makes sure that one of the trusted keys signed it, and compares every file with it;
    /// `progress` receives how many bytes were read, of how many.
    pub(super) fn check(backup: &Path, trust: &Trust, progress: impl Fn(u64, u64)) -> anyhow::Result<Self> {
        let path = backup.join(FILE);
        let text = std::fs::read(&path).with_context(|| {
            format!("{} is not a complete backup: cannot read {}", backup.display(), path.display())
        })?;
        trust.require_signature(backup, &text)?;
        let Format { ytcaption_backup: format } = serde_json::from_slice(&text)
            .with_context(|| format!("{} is not what `ytcaption backup` writes", path.display()))?;
        ensure!(
            format == FORMAT,
            "the backup has form {format}, and this version restores form {FORMAT} only: restore it with the version of \
             this program that took it"
        );
        let manifest: Self = serde_json::from_slice(&text)
            .with_context(|| format!("{} is not what `ytcaption backup` writes", path.display()))?;
        let (mut read, total) = (0, manifest.bytes());
        for entry in &manifest.files {
            let inside = Path::new(&entry.path).components().all(|part| matches!(part, Component::Normal(_)));
            ensure!(inside, "{} names a file outside the backup: {}", path.display(), entry.path);
            ensure!(is_known(&entry.path), "the backup contains {}, which no backup has", entry.path);
            // To erase a job in a backup, its line or the file is removed; each key proves itself.
            if entry.path == super::DATA_KEYS {
                continue;
            }
            let there = fingerprint(&backup.join(&entry.path));
            let (bytes, sha256) = there.with_context(|| format!("the backup lacks {}", entry.path))?;
            entry.require(bytes, &sha256)?;
            read += bytes;
            progress(read, total);
        }
        Ok(manifest)
    }
}

impl Entry {
    /// Makes sure that what was read is this file.
    pub(super) fn require(&self, bytes: u64, sha256: &str) -> anyhow::Result<()> {
        if (bytes, sha256) != (self.bytes, self.sha256.as_str()) {
            bail!("{} in the backup is not what was backed up; take another backup", self.path);
        }
        Ok(())
    }

    /// Whether that file is this one.
    pub(super) fn is_equal(&self, file: &Path) -> bool {
        fingerprint(file).is_ok_and(|(bytes, sha256)| (bytes, sha256.as_str()) == (self.bytes, self.sha256.as_str()))
    }
}

/// The part of a manifest that says how to read the rest.
#[derive(Deserialize)]
struct Format {
    ytcaption_backup: u32,
}

/// Whose backups are restored.
#[derive(Debug)]
pub(super) enum Trust {
    /// Those signed with one of these keys.
    Keys(Vec<VerifyingKey>),
    /// Everybody's.
    Anybody,
}

impl Trust {
    fn require_signature(&self, backup: &Path, manifest: &[u8]) -> anyhow::Result<()> {
        let Self::Keys(keys) = self else { return Ok(()) };
        ensure!(
            !keys.is_empty(),
            "nothing here says whose backups to trust. Name the key that `ytcaption backup` printed, or its file: \
             --trust KEY. It must come from the person or machine that took the backup, not from the backup. \
             --unverified restores what anybody may have changed"
        );
        let path = backup.join(SIGNATURE);
        let signature = std::fs::read_to_string(&path)
            .with_context(|| format!("the backup is not signed: cannot read {}", path.display()))?;
        let of_this = note::text(&signature) == Some(&signed_text(manifest));
        ensure!(
            of_this,
            "{} was changed after the backup was signed; take another backup",
            backup.join(FILE).display()
        );
        ensure!(
            keys.iter().any(|key| note::is_signed_by(&signature, key)),
            "the backup is not signed with a key that is trusted here ({}): another system made it, or it was changed and \
             signed again",
            keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        );
        Ok(())
    }
}

fn signed_text(manifest: &[u8]) -> String {
    format!("{ORIGIN}\n{:x}\n", Sha256::digest(manifest))
}

/// Whether a backup has such a file.
fn is_known(path: &str) -> bool {
    [DATA_KEYS, SETTINGS].contains(&path)
        || KEY_NAMES.contains(&path)
        || path.strip_prefix(BLOBS).is_some_and(|name| name.starts_with('/'))
        || DUMPED_TABLES.iter().any(|table| table_path(*table) == path)
}

/// Creates a file that only its owner reads and writes.
pub(super) fn create(path: &Path) -> std::io::Result<File> {
    File::options().write(true).create_new(true).mode(FILE_MODE).open(path)
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
    let mut target = create(to)?;
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
