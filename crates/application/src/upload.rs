//! Use case: store a file that a job will be made of.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use cqrs_es::Aggregate as _;
use tokio::io::AsyncRead;
use ytcaption_blobstore::{BlobError, BlobKey, BlobStore};
use ytcaption_domain::JobId;
use ytcaption_domain::job::{Job, JobEvent, MediaSource};
use ytcaption_domain::text;
use ytcaption_eventstore::{Database, RecordedEvent, read_event};

use crate::permissions::{Permission, PermissionDenied};
use crate::{Commands, Principal};

/// Longest file name that is stored, in characters.
const MAX_FILE_NAME_CHARS: usize = 200;
/// How often the database is queried for the job of an upload, after it did not answer.
const SETTLE_DELAY: Duration = Duration::from_millis(if cfg!(test) { 50 } else { 60_000 });
/// Directory of uploads in the blob store.
pub(crate) const UPLOADS: &str = "uploads";
/// Name of a file that came without one.
const UNNAMED: &str = "upload";

/// A file in the blob store that no job refers to yet. Dropped, it is deleted again.
#[derive(Debug)]
pub struct StoredUpload {
    /// How a job refers to it.
    pub(crate) source: MediaSource,
    /// `None` once a job refers to it.
    deleted_on_drop: Option<(Arc<dyn BlobStore>, BlobKey)>,
}

/// Why a file is not stored.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The caller may not submit jobs.
    #[error(transparent)]
    Denied(#[from] PermissionDenied),
    /// The file has no bytes.
    #[error("the file is empty; send the media itself")]
    Empty,
    /// The file is larger than permitted.
    #[error("the file is larger than {limit} bytes")]
    TooLarge {
        /// The most that is accepted, in bytes.
        limit: u64,
    },
    /// The file broke off.
    #[error("the upload broke off: {0}")]
    BrokenOff(#[source] io::Error),
    /// The blob store does not answer.
    #[error("the blob store does not answer: {0}")]
    Unavailable(String),
    /// The blob store does not accept a key or fingerprint that this program made.
    #[error("the blob store refuses the upload: {0}")]
    Refused(String),
}

impl Commands {
    /// Streams a file of at most `limit` bytes into the blob store, never whole in memory. `file_name` is as the client
    /// gave it; only its last part is stored, for display.
    ///
    /// # Errors
    /// See [`UploadError`]; nothing stays stored then.
    pub async fn store_upload(
        &self,
        principal: &Principal,
        file_name: Option<&str>,
        content: &mut (dyn AsyncRead + Send + Unpin),
        limit: u64,
    ) -> Result<StoredUpload, UploadError> {
        principal.require(Permission::SubmitJob)?;
        let key = BlobKey::new(format!("{UPLOADS}/{}", self.ids.new_id()))?;
        let stored = self.blobs.put_stream(&key, content, limit).await?;
        let upload = StoredUpload {
            source: MediaSource::Upload {
                key: key.to_string(),
                file_name: display_name(file_name),
                bytes: stored.bytes,
                sha256: stored.sha256,
            },
            deleted_on_drop: Some((Arc::clone(&self.blobs), key)),
        };
        if stored.bytes == 0 { Err(UploadError::Empty) } else { Ok(upload) }
    }
}

impl StoredUpload {
    /// Leaves the blob where it is.
    pub(crate) fn keep(mut self) {
        self.deleted_on_drop = None;
    }

    /// The upload that has this key.
    #[cfg(test)]
    pub(crate) fn of_key(commands: &Commands, key: &str) -> Self {
        let (key, blobs) = (BlobKey::new(key).expect("a key"), Arc::clone(&commands.blobs));
        let source = MediaSource::Upload { key: key.to_string(), file_name: "a".into(), bytes: 1, sha256: "0".into() };
        Self { source, deleted_on_drop: Some((blobs, key)) }
    }

    /// Leaves the blob where it is until the database answers, and deletes it then if the job was not created with it. If
    /// this process ends before, the blob stays: one too many is better than a job without its media.
    pub(crate) fn delete_unless_used(mut self, database: &Database, job: JobId) {
        let Some((blobs, key)) = self.deleted_on_drop.take() else { return };
        let database = database.clone();
        tokio::spawn(async move {
            let is_used = loop {
                // The first delay also lets a statement end that the database may still carry out.
                tokio::time::sleep(SETTLE_DELAY).await;
                if let Ok(first) = read_event(&database, Job::TYPE, &job.to_string(), 1).await {
                    break first.is_some_and(|event| may_name(&event, &key));
                }
            };
            if !is_used && let Err(error) = blobs.delete(&key).await {
                tracing::warn!(%key, %error, "an upload that no job refers to was left behind");
            }
        });
    }
}

/// Whether the event creates a job from this blob, or cannot be read. The same idempotency key may have created the job from
/// another upload.
fn may_name(event: &RecordedEvent, blob: &BlobKey) -> bool {
    let Ok(events) = event.decode::<JobEvent>() else { return true };
    events.iter().any(|event| {
        matches!(event, JobEvent::JobCreated { source: MediaSource::Upload { key, .. }, .. } if *key == blob.to_string())
    })
}

impl Drop for StoredUpload {
    fn drop(&mut self) {
        let Some((blobs, key)) = self.deleted_on_drop.take() else { return };
        // The request may have been dropped because its client went away, so nothing is left that could wait.
        tokio::spawn(async move {
            if let Err(error) = blobs.delete(&key).await {
                tracing::warn!(%key, %error, "an upload that no job refers to was left behind");
            }
        });
    }
}

impl From<BlobError> for UploadError {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::TooLarge { limit } => Self::TooLarge { limit },
            BlobError::Source(cause) => Self::BrokenOff(cause),
            BlobError::Unreachable { .. } | BlobError::Io(_) => Self::Unavailable(error.to_string()),
            // Keys are made here and fingerprints by the store.
            BlobError::NotFound { .. } | BlobError::InvalidKey { .. } | BlobError::Corrupt { .. } => {
                Self::Refused(error.to_string())
            }
        }
    }
}

/// The last part of the path that a client gave, as clean text.
fn display_name(given: Option<&str>) -> String {
    let name = given.and_then(|path| path.rsplit(['/', '\\']).next()).unwrap_or_default();
    let name = text::clean(name, MAX_FILE_NAME_CHARS);
    if name.is_empty() { UNNAMED.to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::display_name;

    #[test]
    fn a_file_name_is_for_display_only() {
        for (given, shown) in [
            (Some("talk.mp4"), "talk.mp4"),
            (Some("../../etc/passwd"), "passwd"),
            (Some("C:\\Users\\me\\talk.mp4"), "talk.mp4"),
            (Some("a\nb\0.mp4"), "a b.mp4"),
            (Some("4pm\u{202e}gpj.exe"), "4pmgpj.exe"),
            (Some("talks/"), "upload"),
            (None, "upload"),
        ] {
            assert_eq!(display_name(given), shown);
        }
        assert_eq!(display_name(Some(&"ä".repeat(300))).chars().count(), 200);
    }
}
