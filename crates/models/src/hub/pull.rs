//! Downloading a model from the hub to its directory.

use std::path::{Path, PathBuf};

use crate::{Checksums, ModelInfo};

use super::client::Remote;
use super::fetch::Wanted;
use super::staging::{Source, Staging};
use super::{Hub, HubError, Reference};

/// The files of a model, as faster-whisper downloads them. A name from the server is never used as a file name.
const FILES: [&str; 6] =
    ["config.json", "preprocessor_config.json", "tokenizer.json", "vocabulary.json", "vocabulary.txt", WEIGHTS];
const WEIGHTS: &str = "model.bin";
/// A model has one of these: older ones have the second.
const VOCABULARIES: [&str; 2] = ["vocabulary.json", "vocabulary.txt"];
/// Everything but the weights is small; the largest `tokenizer.json` has 5 MB.
const MAX_SMALL_FILE_BYTES: u64 = 64 * 1024 * 1024;

/// How far a download is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The file that is being downloaded.
    pub file: &'static str,
    /// Bytes of the model that have arrived.
    pub done: u64,
    /// Bytes of the whole model.
    pub total: u64,
}

/// The result of [`pull`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulled {
    /// The model's directory.
    pub directory: PathBuf,
    /// The commit that the revision means.
    pub commit: String,
    /// Whether it had been downloaded before, completely.
    pub existed: bool,
    /// Size of the model in bytes.
    pub bytes: u64,
}

/// Downloads a model to a directory in `models`; continues an earlier attempt that was interrupted. Until all files have
/// arrived and are verified, its directory does not exist, or has its previous content.
///
/// # Errors
/// The hub cannot be reached or has no such Whisper model, a checksum is wrong, the disk is full, or another process
/// downloads the same model; see [`HubError`].
pub async fn pull(
    hub: &Hub,
    reference: &Reference,
    models: &Path,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Pulled, HubError> {
    let snapshot = hub.with_retries(async || hub.snapshot(reference).await).await?;
    let source = Source { repository: reference.repository.clone(), commit: snapshot.commit.clone() };
    if let Some(existing) = find_existing(&models.join(&reference.name), &source).await? {
        return Ok(existing);
    }
    let wanted = files(hub, reference, &snapshot.commit, &snapshot.files).await?;
    let staging = Staging::open(models, reference, &snapshot.commit)?;
    let total: u64 = wanted.iter().map(|file| file.remote.bytes).sum();
    let missing = wanted.iter().map(|file| file.remote.bytes.saturating_sub(staging.has(file.file))).sum();
    staging.check_space(missing)?;
    let mut sums = Vec::new();
    let mut before = 0;
    for file in &wanted {
        let mut arrived = |done: u64| progress(Progress { file: file.file, done: before + done, total });
        let fetched = hub.fetch(file, &staging.directory().join(file.file), &mut arrived).await;
        let sum = fetched.map_err(|error| as_disk_full(error, models, total.saturating_sub(before)))?;
        sums.push((file.file, sum));
        before += file.remote.bytes;
    }
    staging.seal(&sums, &source)?;
    // The checksums were verified during the download.
    if let Err(reason) = ModelInfo::open(staging.directory(), Checksums::Skip) {
        staging.discard();
        return Err(HubError::Unusable { repository: reference.repository.clone(), reason });
    }
    Ok(Pulled { directory: staging.publish()?, commit: snapshot.commit, existed: false, bytes: total })
}

/// The model in `dir`, if it is of the same commit and complete.
async fn find_existing(dir: &Path, source: &Source) -> Result<Option<Pulled>, HubError> {
    if !dir.exists() {
        return Ok(None);
    }
    let taken = || HubError::Taken { directory: dir.to_owned(), repository: source.repository.clone() };
    let found = Source::load(dir).filter(|found| found.repository == source.repository).ok_or_else(taken)?;
    if found.commit != source.commit {
        return Ok(None);
    }
    let reading = dir.to_owned();
    let read = tokio::task::spawn_blocking(move || ModelInfo::open(&reading, Checksums::Verify)).await;
    let info = read.ok().and_then(Result::ok);
    Ok(info.map(|info| Pulled {
        directory: dir.to_owned(),
        commit: found.commit,
        existed: true,
        bytes: info.weights_bytes,
    }))
}

/// The files of a model with what the hub announces about each.
async fn files<'a>(
    hub: &Hub,
    reference: &'a Reference,
    commit: &'a str,
    listed: &[String],
) -> Result<Vec<Wanted<'a>>, HubError> {
    let has = |file: &str| listed.iter().any(|listed| listed == file);
    let lacks = |file| HubError::NotConverted { repository: reference.repository.clone(), file };
    for required in [WEIGHTS, "config.json"] {
        if !has(required) {
            return Err(lacks(required));
        }
    }
    if !VOCABULARIES.iter().any(|file| has(file)) {
        return Err(lacks(VOCABULARIES[0]));
    }
    let mut wanted = Vec::new();
    for file in FILES.into_iter().filter(|file| has(file)) {
        let remote: Remote = hub.with_retries(async || hub.describe(reference, commit, file).await).await?;
        if file != WEIGHTS && remote.bytes > MAX_SMALL_FILE_BYTES {
            let reason = format!("its {file} has {} bytes", remote.bytes);
            return Err(HubError::Protocol { host: reference.repository.clone(), reason });
        }
        wanted.push(Wanted { from: reference, commit, file, remote });
    }
    Ok(wanted)
}

/// The error of a full disk instead of the I/O error.
fn as_disk_full(error: HubError, models: &Path, needed: u64) -> HubError {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    match error {
        HubError::Io { source, .. } if matches!(source.kind(), StorageFull | QuotaExceeded) => {
            HubError::DiskFull { directory: models.to_owned(), needed, free: 0 }
        }
        other => other,
    }
}
