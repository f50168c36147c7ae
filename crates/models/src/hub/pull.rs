//! A model, from the hub to its folder.

use std::path::{Path, PathBuf};

use crate::{Checksums, ModelInfo};

use super::client::Remote;
use super::fetch::Wanted;
use super::staging::{Source, Staging};
use super::{Hub, HubError, Reference};

/// The files of a model, as faster-whisper fetches them. No name that a server gives is ever used as one here.
const FILES: [&str; 6] =
    ["config.json", "preprocessor_config.json", "tokenizer.json", "vocabulary.json", "vocabulary.txt", WEIGHTS];
const WEIGHTS: &str = "model.bin";
/// Whichever of these there is: older models have the second.
const VOCABULARIES: [&str; 2] = ["vocabulary.json", "vocabulary.txt"];
/// Everything but the weights is small; the largest `tokenizer.json` has 5 MB.
const LARGEST_SMALL_FILE: u64 = 64 * 1024 * 1024;

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The file that is coming.
    pub file: &'static str,
    /// Bytes of the model that are here.
    pub done: u64,
    /// Bytes of the model.
    pub total: u64,
}

/// What a pull has led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulled {
    /// Where the model lies.
    pub folder: PathBuf,
    /// The commit that the revision stands for.
    pub commit: String,
    /// Whether it was there already, whole.
    pub was_there: bool,
    /// Its size in bytes.
    pub bytes: u64,
}

/// Brings a model to the folder `models`; goes on where an earlier attempt broke off. Until all of it is there and
/// sound, nothing stands under its name, or what stood there before.
///
/// # Errors
/// See [`HubError`].
pub async fn pull(
    hub: &Hub,
    reference: &Reference,
    models: &Path,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<Pulled, HubError> {
    let snapshot = hub.insist(async || hub.snapshot(reference).await).await?;
    let source = Source { repository: reference.repository.clone(), commit: snapshot.commit.clone() };
    if let Some(there) = already_there(&models.join(&reference.name), &source).await? {
        return Ok(there);
    }
    let wanted = files(hub, reference, &snapshot.commit, &snapshot.files).await?;
    let staging = Staging::take(models, reference, &snapshot.commit)?;
    let total: u64 = wanted.iter().map(|file| file.remote.bytes).sum();
    let missing = wanted.iter().map(|file| file.remote.bytes.saturating_sub(staging.has(file.file))).sum();
    staging.check_room(missing)?;
    let mut sums = Vec::new();
    let mut before = 0;
    for file in &wanted {
        let mut arrived = |done: u64| progress(Progress { file: file.file, done: before + done, total });
        let fetched = hub.fetch(file, &staging.folder().join(file.file), &mut arrived).await;
        let sum = fetched.map_err(|error| no_room(error, models, total.saturating_sub(before)))?;
        sums.push((file.file, sum));
        before += file.remote.bytes;
    }
    staging.seal(&sums, &source)?;
    // The checksums were verified during the download.
    if let Err(reason) = ModelInfo::open(staging.folder(), Checksums::Skip) {
        staging.discard();
        return Err(HubError::Unusable { repository: reference.repository.clone(), reason });
    }
    Ok(Pulled { folder: staging.publish()?, commit: snapshot.commit, was_there: false, bytes: total })
}

/// The model, if it is there, of the same commit, and whole.
async fn already_there(folder: &Path, source: &Source) -> Result<Option<Pulled>, HubError> {
    if !folder.exists() {
        return Ok(None);
    }
    let taken = || HubError::Taken { folder: folder.to_owned(), repository: source.repository.clone() };
    let there = Source::of(folder).filter(|there| there.repository == source.repository).ok_or_else(taken)?;
    if there.commit != source.commit {
        return Ok(None);
    }
    let reading = folder.to_owned();
    let read = tokio::task::spawn_blocking(move || ModelInfo::open(&reading, Checksums::Verify)).await;
    let info = read.ok().and_then(Result::ok);
    Ok(info.map(|info| Pulled {
        folder: folder.to_owned(),
        commit: there.commit,
        was_there: true,
        bytes: info.weights_bytes,
    }))
}

/// The files of a model with what the hub announces of each.
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
        let remote: Remote = hub.insist(async || hub.describe(reference, commit, file).await).await?;
        if file != WEIGHTS && remote.bytes > LARGEST_SMALL_FILE {
            let reason = format!("its {file} has {} bytes", remote.bytes);
            return Err(HubError::Protocol { host: reference.repository.clone(), reason });
        }
        wanted.push(Wanted { from: reference, commit, file, remote });
    }
    Ok(wanted)
}

/// A full disk, said so.
fn no_room(error: HubError, models: &Path, needed: u64) -> HubError {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    match error {
        HubError::Io { source, .. } if matches!(source.kind(), StorageFull | QuotaExceeded) => {
            HubError::DiskFull { folder: models.to_owned(), needed, free: 0 }
        }
        other => other,
    }
}
