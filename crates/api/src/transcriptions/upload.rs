//! A submission as a form: the file is streamed into the blob store, never whole in memory.

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::extract::multipart::{Field, Multipart, MultipartError};
use axum::http::StatusCode;
use futures::{Stream, StreamExt};
use serde_json::{Map, Value};
use tokio::time::Instant;
use tokio_util::io::StreamReader;
use ytcaption_application::{MediaLocation, Principal, StoredUpload, SubmitTranscription, UploadError};

use super::submit::checked;
use crate::ApiState;
use crate::problem::ApiError;

/// Name of the part that holds the media.
const FILE_FIELD: &str = "file";
/// Longest time without data from the client.
const IDLE_TIMEOUT: Duration = Duration::from_mins(1);
/// The least rate of an upload is measured over this time.
const RATE_INTERVAL: Duration = Duration::from_mins(1);
/// Most parts of a form; there are fewer fields than that.
const MAX_PARTS: usize = 20;
/// A client that still sends only sees the answer if its data are read for a while longer.
const DRAIN_TIME: Duration = Duration::from_secs(2);

/// A request whose body ends with an error when the client sends fewer than `rate` bytes a second: uploads of a byte now and
/// then would stay open for ever.
pub(super) fn at_least_rate(request: Request, rate: u64) -> Request {
    request.map(|body| Body::from_stream(at_rate(body.into_data_stream(), rate, RATE_INTERVAL)))
}

/// The pieces of a stream, until it brings fewer than `rate` bytes a second over an `interval` of waiting for it. Time that
/// the reader takes does not count.
fn at_rate<S>(pieces: S, rate: u64, interval: Duration) -> impl Stream<Item = Result<Bytes, axum::Error>>
where
    S: Stream<Item = Result<Bytes, axum::Error>> + Unpin,
{
    futures::stream::try_unfold((pieces, Duration::ZERO, 0), move |(mut pieces, mut waited, mut bytes)| async move {
        let started = Instant::now();
        let Some(piece) = pieces.next().await.transpose()? else { return Ok(None) };
        waited += started.elapsed();
        bytes += piece.len() as u64;
        if waited >= interval {
            if bytes < rate.saturating_mul(waited.as_secs()) {
                return Err(axum::Error::new(io::Error::from(io::ErrorKind::TimedOut)));
            }
            (waited, bytes) = (Duration::ZERO, 0);
        }
        Ok(Some((piece, (pieces, waited, bytes))))
    })
}

/// Reads a form; the file goes into the blob store as it arrives.
///
/// # Errors
/// The form is malformed, too large or breaks off, its fields are not valid, or the blob store fails. Nothing stays
/// stored.
pub(super) async fn read_form(
    state: &ApiState,
    principal: &Principal,
    mut parts: Multipart,
) -> Result<(SubmitTranscription, Option<StoredUpload>), ApiError> {
    let outcome = read_parts(state, principal, &mut parts).await;
    if outcome.is_err() {
        let drain = async { while let Ok(Some(_)) = parts.next_field().await {} };
        // However it ends, the answer is the same.
        let _ = tokio::time::timeout(DRAIN_TIME, drain).await;
    }
    outcome
}

async fn read_parts(
    state: &ApiState,
    principal: &Principal,
    parts: &mut Multipart,
) -> Result<(SubmitTranscription, Option<StoredUpload>), ApiError> {
    let mut given = Map::new();
    let mut upload = None;
    let mut text_left = state.settings.max_body_bytes;
    for _ in 0..MAX_PARTS {
        let Some(part) = arrived(parts.next_field()).await?.map_err(|error| form_error(&error, state))? else {
            let location = if upload.is_some() { MediaLocation::Upload } else { MediaLocation::Url };
            return Ok((checked(state, given, location).await?, upload));
        };
        let name = part.name().unwrap_or_default().to_owned();
        if name == FILE_FIELD {
            if upload.is_some() {
                return Err(ApiError::invalid_field(FILE_FIELD, "There is more than one file; send one in a request"));
            }
            // An error that is known by now need not wait for gigabytes to arrive.
            checked(state, given.clone(), MediaLocation::Upload).await?;
            upload = Some(store(state, principal, part).await?);
        } else {
            let text = read_text(state, part, &mut text_left).await?;
            if given.insert(name.clone(), Value::String(text)).is_some() {
                return Err(ApiError::invalid_field(&name, "This field is given twice"));
            }
        }
    }
    Err(ApiError::MalformedBody { reason: format!("the form has more than {MAX_PARTS} parts") })
}

async fn read_text(state: &ApiState, mut part: Field<'_>, left: &mut u64) -> Result<String, ApiError> {
    let mut bytes = Vec::new();
    while let Some(piece) = arrived(part.chunk()).await?.map_err(|error| form_error(&error, state))? {
        *left =
            left.checked_sub(piece.len() as u64).ok_or(ApiError::TooLarge { limit: state.settings.max_body_bytes })?;
        bytes.extend_from_slice(&piece);
    }
    String::from_utf8(bytes)
        .map_err(|_| ApiError::MalformedBody { reason: "a field of the form is not UTF-8".to_owned() })
}

async fn store(state: &ApiState, principal: &Principal, part: Field<'_>) -> Result<StoredUpload, ApiError> {
    let file_name = part.file_name().map(str::to_owned);
    let limit = state.settings.max_upload_bytes;
    let mut content = StreamReader::new(Box::pin(pieces(part)));
    let stored = state.commands.store_upload(principal, file_name.as_deref(), &mut content, limit).await;
    stored.map_err(|error| match error {
        UploadError::BrokenOff(cause) if is_too_large(&cause) => ApiError::TooLarge { limit },
        other => other.into(),
    })
}

/// The bytes of a part; a time without data ends them with an error.
fn pieces(part: Field<'_>) -> impl futures::Stream<Item = io::Result<Bytes>> {
    futures::stream::try_unfold(part, |mut part| async move {
        let piece = tokio::time::timeout(IDLE_TIMEOUT, part.next())
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?;
        Ok(piece.transpose().map_err(io::Error::other)?.map(|piece| (piece, part)))
    })
}

fn is_too_large(cause: &io::Error) -> bool {
    let form_error = cause.get_ref().and_then(|inner| inner.downcast_ref::<MultipartError>());
    form_error.is_some_and(|error| error.status() == StatusCode::PAYLOAD_TOO_LARGE)
}

async fn arrived<T>(coming: impl Future<Output = T>) -> Result<T, ApiError> {
    tokio::time::timeout(IDLE_TIMEOUT, coming)
        .await
        .map_err(|_| ApiError::UploadBrokenOff { reason: "nothing arrived for a minute".to_owned() })
}

fn form_error(error: &MultipartError, state: &ApiState) -> ApiError {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::TooLarge { limit: state.settings.max_upload_bytes },
        // The connection broke off; the form itself may be valid.
        status if status.is_server_error() => ApiError::UploadBrokenOff { reason: error.body_text() },
        _ => ApiError::MalformedBody { reason: format!("the form is malformed or ends early: {}", error.body_text()) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many pieces of `bytes` bytes come through, one each 20 seconds.
    async fn pieces_through(bytes: usize) -> (usize, bool) {
        let slow = futures::stream::iter(0..30).then(async |_| {
            tokio::time::sleep(Duration::from_secs(20)).await;
            Ok::<_, axum::Error>(Bytes::from(vec![0; bytes]))
        });
        let taken: Vec<_> = at_rate(Box::pin(slow), 1024, RATE_INTERVAL).collect().await;
        (taken.len(), taken.last().is_some_and(Result::is_err))
    }

    #[tokio::test(start_paused = true)]
    async fn an_upload_that_hardly_moves_is_ended_and_a_slow_one_is_not() {
        assert_eq!(pieces_through(1).await, (3, true), "after a minute");
        assert_eq!(pieces_through(20 * 1024).await, (30, false));
    }
}
