//! Parameters in the path and the query.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use chrono::{DateTime, Utc};
use url::form_urlencoded;
use ytcaption_domain::JobId;
use ytcaption_domain::text;

use crate::problem::{ApiError, RequestError};

/// Longest value of a parameter, in characters.
const MAX_VALUE_CHARS: usize = 500;

/// The job in the path.
pub(crate) struct JobPath(pub(crate) JobId);

impl<S: Send + Sync> FromRequestParts<S> for JobPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let text = Path::<String>::from_request_parts(parts, state).await.map(|Path(text)| text).unwrap_or_default();
        text.parse().map(Self).map_err(|_| {
            ApiError::invalid_parameter("id", "The job id is not a UUID; use the `job_id` that the submission returned")
        })
    }
}

/// The parameters of a query, taken one by one; every error is kept.
pub(crate) struct Query {
    given: Vec<(String, String)>,
    errors: Vec<RequestError>,
}

impl Query {
    /// The query of a URL.
    pub(crate) fn new(query: Option<&str>) -> Self {
        let given = form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect();
        Self { given, errors: vec![] }
    }

    /// The value of a parameter, if it is given and `parse` accepts it.
    pub(crate) fn take<T, E: ToString>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
        let index = self.given.iter().position(|(given, _)| given == name)?;
        let (_, text) = self.given.remove(index);
        let parsed = check_value(name, &text).and_then(|()| parse(&text).map_err(|error| error.to_string()));
        parsed.map_err(|detail| self.errors.push(RequestError::in_parameter(name, detail))).ok()
    }

    /// Ends the query.
    ///
    /// # Errors
    /// All errors so far, and all parameters that were not taken.
    pub(crate) fn finish(mut self) -> Result<(), ApiError> {
        for (name, _) in self.given {
            let detail = format!("`{name}` is not a parameter of this resource, or is given twice; remove it");
            self.errors.push(RequestError::in_parameter(&name, detail));
        }
        if self.errors.is_empty() { Ok(()) } else { Err(ApiError::InvalidParameter { errors: self.errors }) }
    }
}

/// No parameter has a long value, or one with control characters; NUL is in no text that is stored.
fn check_value(name: &str, value: &str) -> Result<(), String> {
    if value.chars().any(text::is_control) {
        Err(format!("`{name}` has control characters; remove them"))
    } else if value.chars().count() > MAX_VALUE_CHARS {
        Err(format!("`{name}` is longer than {MAX_VALUE_CHARS} characters"))
    } else {
        Ok(())
    }
}

/// Parses a time as RFC 3339 writes it.
pub(crate) fn parse_time(text: &str) -> Result<DateTime<Utc>, String> {
    let time = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc());
    time.map_err(|_| format!("`{text}` is not a valid time; write it as 2026-01-31T14:05:00Z (RFC 3339)"))
}

/// Parses a number of items on a page, 1 to `MAX`.
pub(crate) fn parse_limit<const MAX: u32>(text: &str) -> Result<u32, String> {
    let limit = text.parse().ok().filter(|limit| (1..=MAX).contains(limit));
    limit.ok_or_else(|| format!("`limit` must be a number from 1 to {MAX}"))
}

/// Parses `true` or `false`.
pub(crate) fn parse_bool(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| format!("`{text}` is neither `true` nor `false`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_of_a_query_is_named() {
        let mut query = Query::new(Some("limit=x&odd=1&limit=3&status=a%20b"));
        assert_eq!(query.take("limit", str::parse::<u32>), None);
        assert_eq!(query.take("status", |text| Ok::<_, String>(text.to_owned())), Some("a b".to_owned()));
        assert_eq!(query.take("absent", str::parse::<u32>), None);
        let Err(ApiError::InvalidParameter { errors }) = query.finish() else { panic!("errors were lost") };
        let names: Vec<_> = errors.into_iter().filter_map(|error| error.parameter).collect();
        assert_eq!(names, ["limit", "odd", "limit"]);
    }
}
