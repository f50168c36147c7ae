//! Reading a body that fits in memory.

use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use futures::StreamExt;
use serde_json::{Map, Value};

use crate::problem::ApiError;

/// A client that sends too much only sees the answer once it has sent it all, so this much more is read and dropped,
/// in bytes.
const DRAINED_BYTES: usize = 4 * 1024 * 1024;
/// Longest time spent on that.
const DRAIN_TIME: Duration = Duration::from_secs(2);

/// What the client says its body is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum MediaType {
    Json,
    Form,
    Other(String),
    Missing,
}

impl MediaType {
    /// As the header `Content-Type` says.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let Some(value) = headers.get(CONTENT_TYPE) else { return Self::Missing };
        let text = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
        let essence = text.split(';').next().unwrap_or_default().trim();
        match essence {
            "application/json" => Self::Json,
            "multipart/form-data" => Self::Form,
            other if other.starts_with("application/") && other.ends_with("+json") => Self::Json,
            other => Self::Other(other.to_owned()),
        }
    }

    /// The refusal of a body of this type.
    pub(super) fn unsupported(&self) -> ApiError {
        ApiError::UnsupportedMediaType(match self {
            Self::Json => "JSON is not read here.".to_owned(),
            Self::Form => "A form is not read here.".to_owned(),
            Self::Other(name) => format!("A body of the type {name} is not read."),
            Self::Missing => "The request does not say of what type its body is.".to_owned(),
        })
    }
}

/// The whole body.
///
/// # Errors
/// It is larger than `limit` bytes, or the connection broke.
pub(super) async fn read(body: Body, limit: u64) -> Result<Vec<u8>, ApiError> {
    let mut stream = body.into_data_stream();
    let mut bytes = Vec::new();
    while let Some(piece) = stream.next().await {
        let piece = piece.map_err(|error| ApiError::MalformedBody(error.to_string()))?;
        if (bytes.len() + piece.len()) as u64 > limit {
            let mut dropped = 0;
            let drain = async {
                while dropped < DRAINED_BYTES
                    && let Some(Ok(piece)) = stream.next().await
                {
                    dropped += piece.len();
                }
            };
            // However it ends, the answer is the same.
            let _ = tokio::time::timeout(DRAIN_TIME, drain).await;
            return Err(ApiError::TooLarge { limit });
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// The JSON object in a body.
///
/// # Errors
/// It is not JSON, or not an object.
pub(super) fn json_object(bytes: &[u8]) -> Result<Map<String, Value>, ApiError> {
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(ApiError::invalid_field("", "The body must be a JSON object, such as {\"url\": \"https://…\"}")),
        Err(error) => Err(ApiError::MalformedBody(format!("it is not valid JSON: {error}"))),
    }
}
