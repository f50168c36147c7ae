//! Bodies that fit in memory, and their fields.

use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use futures::StreamExt;
use serde_json::{Map, Value};
use ytcaption_application::FieldError;

use crate::problem::{ApiError, RequestError};

/// A client that sends too much only sees the answer after it has sent everything, so up to this many bytes more are read
/// and dropped.
const DRAINED_BYTES: usize = 4 * 1024 * 1024;
/// Longest time spent on that.
const DRAIN_TIME: Duration = Duration::from_secs(2);

/// The media type of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum MediaType {
    Json,
    Form,
    Other(String),
    Missing,
}

impl MediaType {
    /// The media type in the header `Content-Type`.
    pub(super) fn from_headers(headers: &HeaderMap) -> Self {
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
        let reason = match self {
            Self::Json => "This resource does not accept JSON.".to_owned(),
            Self::Form => "This resource does not accept a form.".to_owned(),
            Self::Other(name) => format!("The media type {name} is not supported."),
            Self::Missing => "The request does not name the media type of its body.".to_owned(),
        };
        ApiError::UnsupportedMediaType { reason }
    }
}

/// The whole body.
///
/// # Errors
/// It is larger than `limit` bytes, or the connection broke.
pub(super) async fn collect(body: Body, limit: u64) -> Result<Vec<u8>, ApiError> {
    let mut stream = body.into_data_stream();
    let mut bytes = Vec::new();
    while let Some(piece) = stream.next().await {
        let piece = piece.map_err(|error| ApiError::MalformedBody { reason: error.to_string() })?;
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
        Err(error) => Err(ApiError::MalformedBody { reason: format!("it is not valid JSON: {error}") }),
    }
}

/// The fields of a JSON object or of a form, read one by one: what they must be is for the use case to say.
pub(super) struct FieldReader {
    given: Map<String, Value>,
    errors: Vec<(String, String)>,
}

impl FieldReader {
    /// The fields of a body.
    pub(super) fn new(given: Map<String, Value>) -> Self {
        Self { given, errors: vec![] }
    }

    /// A text; `None` if it is absent, `null` or empty.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        match self.given.remove(name)? {
            Value::Null => None,
            Value::String(text) => Some(text).filter(|text| !text.trim().is_empty()),
            _ => {
                self.errors.push((name.to_owned(), format!("`{name}` must be a text")));
                None
            }
        }
    }

    /// A boolean, or in a form the text `true` or `false`.
    pub(super) fn flag(&mut self, name: &str) -> Option<bool> {
        match self.given.remove(name)? {
            Value::Null => None,
            Value::Bool(flag) => Some(flag),
            Value::String(text) if text.trim().is_empty() => None,
            Value::String(text) if text.trim() == "true" => Some(true),
            Value::String(text) if text.trim() == "false" => Some(false),
            _ => {
                self.errors.push((name.to_owned(), format!("`{name}` must be true or false")));
                None
            }
        }
    }

    /// A whole number, or in a form its digits.
    pub(super) fn number(&mut self, name: &str) -> Option<u32> {
        let given = self.given.remove(name)?;
        let number = match &given {
            Value::Null => return None,
            Value::String(text) if text.trim().is_empty() => return None,
            Value::String(text) => text.trim().parse().ok(),
            // `1.0` is a whole number in JSON Schema.
            Value::Number(number) => {
                number.as_u64().or_else(|| whole(number.as_f64()?)).and_then(|n| n.try_into().ok())
            }
            _ => None,
        };
        if number.is_none() {
            self.errors.push((name.to_owned(), format!("`{name}` must be a whole number")));
        }
        number
    }

    /// The request that the fields have been checked to be.
    ///
    /// # Errors
    /// Every error of a field, also those that the check has found, and every field that was not read.
    pub(super) fn finish<T>(mut self, checked: Result<T, Vec<FieldError>>) -> Result<T, ApiError> {
        for name in self.given.keys() {
            self.errors.push((name.clone(), "This field is unknown here; correct its name or remove it".to_owned()));
        }
        let checked = checked.map_err(|found| {
            // A field that could not be read was not there for the check.
            let unread = |error: &FieldError| self.errors.iter().any(|(name, _)| name == error.field);
            let found: Vec<_> = found.into_iter().filter(|error| !unread(error)).collect();
            self.errors.extend(found.into_iter().map(|error| (error.field.to_owned(), error.detail)));
        });
        match checked {
            Ok(request) if self.errors.is_empty() => Ok(request),
            _ => {
                let errors = self.errors.into_iter().map(|(name, detail)| RequestError::in_field(&name, detail));
                Err(ApiError::InvalidRequest { errors: errors.collect() })
            }
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
fn whole(number: f64) -> Option<u64> {
    (number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number)).then_some(number as u64)
}
