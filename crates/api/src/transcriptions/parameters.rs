//! What stands in the path and the query.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use url::form_urlencoded;
use ytcaption_domain::JobId;

use crate::problem::{ApiError, Fault};

/// The job that the path names.
pub(crate) struct JobPath(pub(crate) JobId);

impl<S: Send + Sync> FromRequestParts<S> for JobPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let text = Path::<String>::from_request_parts(parts, state).await.map(|Path(text)| text).unwrap_or_default();
        text.parse().map(Self).map_err(|_| {
            ApiError::InvalidParameter(vec![Fault::of_parameter(
                "id",
                "The job id is not a UUID; use the `job_id` that the submission returned",
            )])
        })
    }
}

/// The parameters of a query, read one by one; every fault is kept.
pub(crate) struct Query {
    given: Vec<(String, String)>,
    faults: Vec<Fault>,
}

impl Query {
    /// Reads the query of an address.
    pub(crate) fn new(query: Option<&str>) -> Self {
        let given = form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect();
        Self { given, faults: vec![] }
    }

    /// The value of a parameter, if it is given and `read` accepts it.
    pub(crate) fn take<T, E: ToString>(&mut self, name: &str, read: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
        let place = self.given.iter().position(|(given, _)| given == name)?;
        let (_, text) = self.given.remove(place);
        read(&text).map_err(|error| self.faults.push(Fault::of_parameter(name, error.to_string()))).ok()
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// All faults so far, and all parameters that nobody has read.
    pub(crate) fn finish(mut self) -> Result<(), ApiError> {
        self.faults.extend(
            self.given.iter().map(|(name, _)| {
                Fault::of_parameter(name, format!("`{name}` is unknown here or given twice; remove it"))
            }),
        );
        if self.faults.is_empty() { Ok(()) } else { Err(ApiError::InvalidParameter(self.faults)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_of_a_query_is_named() {
        let mut query = Query::new(Some("limit=x&odd=1&limit=3&status=a%20b"));
        assert_eq!(query.take("limit", str::parse::<u32>), None);
        assert_eq!(query.take("status", |text| Ok::<_, String>(text.to_owned())), Some("a b".to_owned()));
        assert_eq!(query.take("absent", str::parse::<u32>), None);
        let Err(ApiError::InvalidParameter(faults)) = query.finish() else { panic!("faults were lost") };
        let names: Vec<_> = faults.into_iter().filter_map(|fault| fault.parameter).collect();
        assert_eq!(names, ["limit", "odd", "limit"]);
    }
}
