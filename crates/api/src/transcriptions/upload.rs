//! A recording that comes with the request: streamed into the blob store, never whole in memory.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::multipart::{Field, Multipart, MultipartError};
use axum::http::StatusCode;
use futures::StreamExt;
use serde_json::{Map, Value};
use tokio_util::io::StreamReader;
use ytcaption_blobstore::{BlobError, BlobKey, BlobStore};
use ytcaption_domain::job::MediaSource;

use super::form::{File, Wish};
use crate::ApiState;
use crate::problem::ApiError;

/// Name of the part that holds the recording.
const FILE_FIELD: &str = "file";
/// A client that sends nothing for this long is given up.
const MAX_SILENCE: Duration = Duration::from_mins(1);
/// Most parts of a form; there are fewer fields than that.
const MAX_PARTS: usize = 20;
/// Longest file name that is kept, in characters.
const MAX_FILE_NAME_CHARS: usize = 200;
/// Name of a file that came without one.
const UNNAMED: &str = "upload";
/// A client that still sends only sees the answer if it is listened to for a while.
const DRAIN_TIME: Duration = Duration::from_secs(2);

/// A file in the blob store that no job refers to yet. Dropped, it is deleted again.
pub(super) struct StoredUpload {
    /// How a job refers to it.
    pub(super) source: MediaSource,
    /// `None` once it is somebody else's to keep or delete.
    kept_at: Option<(Arc<dyn BlobStore>, BlobKey)>,
}

impl StoredUpload {
    /// Leaves the blob where it is.
    pub(super) fn keep(mut self) {
        self.kept_at = None;
    }
}

impl Drop for StoredUpload {
    fn drop(&mut self) {
        let Some((blobs, key)) = self.kept_at.take() else { return };
        // The request may have been dropped because its client went away, so nobody is left to wait.
        tokio::spawn(async move {
            if let Err(error) = blobs.delete(&key).await {
                tracing::warn!(%key, %error, "an upload that no job refers to was left behind");
            }
        });
    }
}

/// What a form held.
pub(super) struct Form {
    pub(super) wish: Wish,
    pub(super) upload: Option<StoredUpload>,
}

/// Reads a form; the file goes into the blob store as it arrives.
///
/// # Errors
/// The form is malformed, too large or breaks off, its fields have faults, or the blob store fails. Nothing stays
/// stored.
pub(super) async fn read_form(state: &ApiState, mut parts: Multipart) -> Result<Form, ApiError> {
    let outcome = read_parts(state, &mut parts).await;
    if outcome.is_err() {
        let drain = async { while let Ok(Some(_)) = parts.next_field().await {} };
        // However it ends, the answer is the same.
        let _ = tokio::time::timeout(DRAIN_TIME, drain).await;
    }
    outcome
}

async fn read_parts(state: &ApiState, parts: &mut Multipart) -> Result<Form, ApiError> {
    let mut given = Map::new();
    let mut upload = None;
    let mut text_left = state.settings.max_body_bytes;
    for _ in 0..MAX_PARTS {
        let Some(part) = within_silence(parts.next_field()).await?.map_err(|error| of_form(&error, state))? else {
            let file = if upload.is_some() { File::Sent } else { File::Absent };
            return Ok(Form { wish: Wish::read(given, file, &state.network)?, upload });
        };
        let name = part.name().unwrap_or_default().to_owned();
        if name == FILE_FIELD {
            if upload.is_some() {
                return Err(ApiError::invalid_field(FILE_FIELD, "There is more than one file; send one in a request"));
            }
            // A fault that is known by now need not wait for gigabytes to arrive.
            Wish::read(given.clone(), File::Sent, &state.network)?;
            upload = Some(store(state, part).await?);
        } else {
            let text = read_text(state, part, &mut text_left).await?;
            if given.insert(name.clone(), Value::String(text)).is_some() {
                return Err(ApiError::invalid_field(&name, "This field is given twice"));
            }
        }
    }
    Err(ApiError::MalformedBody(format!("the form has more than {MAX_PARTS} parts")))
}

async fn read_text(state: &ApiState, mut part: Field<'_>, left: &mut u64) -> Result<String, ApiError> {
    let mut bytes = Vec::new();
    while let Some(piece) = within_silence(part.chunk()).await?.map_err(|error| of_form(&error, state))? {
        *left =
            left.checked_sub(piece.len() as u64).ok_or(ApiError::TooLarge { limit: state.settings.max_body_bytes })?;
        bytes.extend_from_slice(&piece);
    }
    String::from_utf8(bytes).map_err(|_| ApiError::MalformedBody("a field of the form is not UTF-8".to_owned()))
}

async fn store(state: &ApiState, part: Field<'_>) -> Result<StoredUpload, ApiError> {
    let file_name = display_name(part.file_name());
    let key = BlobKey::new(format!("uploads/{}", state.ids.new_id()))?;
    let limit = state.settings.max_upload_bytes;
    let mut reader = StreamReader::new(Box::pin(pieces(part)));
    let stored = state.blobs.put_stream(&key, &mut reader, limit).await.map_err(|error| match error {
        BlobError::Source(cause) if is_too_large(&cause) => ApiError::TooLarge { limit },
        other => other.into(),
    })?;
    let upload = StoredUpload {
        source: MediaSource::Upload { key: key.to_string(), file_name, bytes: stored.bytes, sha256: stored.sha256 },
        kept_at: Some((Arc::clone(&state.blobs), key)),
    };
    if stored.bytes == 0 {
        return Err(ApiError::invalid_field(FILE_FIELD, "The file is empty; send the recording itself"));
    }
    Ok(upload)
}

/// The bytes of a part; silence ends them with an error.
fn pieces(part: Field<'_>) -> impl futures::Stream<Item = io::Result<Bytes>> {
    futures::stream::try_unfold(part, |mut part| async move {
        let piece = tokio::time::timeout(MAX_SILENCE, part.next())
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?;
        Ok(piece.transpose().map_err(io::Error::other)?.map(|piece| (piece, part)))
    })
}

fn is_too_large(cause: &io::Error) -> bool {
    let form_error = cause.get_ref().and_then(|inner| inner.downcast_ref::<MultipartError>());
    form_error.is_some_and(|error| error.status() == StatusCode::PAYLOAD_TOO_LARGE)
}

async fn within_silence<T>(coming: impl Future<Output = T>) -> Result<T, ApiError> {
    tokio::time::timeout(MAX_SILENCE, coming).await.map_err(|_| ApiError::UploadBrokenOff("silence".to_owned()))
}

fn of_form(error: &MultipartError, state: &ApiState) -> ApiError {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::TooLarge { limit: state.settings.max_upload_bytes },
        // Not the form is at fault but the connection it came over.
        status if status.is_server_error() => ApiError::UploadBrokenOff(error.body_text()),
        _ => ApiError::MalformedBody(format!("the form is damaged or ends early: {}", error.body_text())),
    }
}

/// The last part of the path that a client gave, for display: without folders and control characters.
fn display_name(given: Option<&str>) -> String {
    let name = given.and_then(|path| path.rsplit(['/', '\\']).next()).unwrap_or_default();
    let name: String = name.chars().filter(|c| !c.is_control()).take(MAX_FILE_NAME_CHARS).collect();
    if name.trim().is_empty() { UNNAMED.to_owned() } else { name.trim().to_owned() }
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
            (Some("a\nb\0.mp4"), "ab.mp4"),
            (Some("folder/"), "upload"),
            (None, "upload"),
        ] {
            assert_eq!(display_name(given), shown);
        }
        assert_eq!(display_name(Some(&"ä".repeat(300))).chars().count(), 200);
    }
}
