//! The document a client receives.

use serde::Serialize;
use utoipa::ToSchema;
use ytcaption_application::JobFailure;
use ytcaption_domain::JobId;
use ytcaption_domain::job::JobStatus;

use super::RequestError;
use crate::base_path::{BasePath, job_path};

/// A problem as RFC 9457 writes it, with the members this interface adds.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// The type of problem; this URL explains it. Compare this, not the texts.
    #[serde(rename = "type")]
    #[schema(example = "/problems/job-not-completed")]
    pub(crate) type_uri: String,
    /// Summary of the type.
    #[schema(example = "The captions are not ready yet")]
    pub(crate) title: String,
    /// The status code of the answer.
    #[schema(example = 409)]
    pub(crate) status: u16,
    /// What happened this time and what to do next.
    #[schema(example = "The job is transcribing. Ask again at status_url until it is completed.")]
    pub(crate) detail: String,
    /// The path of the request.
    #[schema(example = "/api/v1/transcriptions/0197a2b4-7f3e-7c10-8d2e-5a9b1c3d4e5f/result")]
    pub(crate) instance: String,
    /// Finds the request in the server's log.
    #[schema(example = "0197a2b4-80aa-7b21-9c54-0d1e2f3a4b5c")]
    pub(crate) request_id: String,
    #[serde(flatten)]
    pub(crate) extensions: Extensions,
}

/// Extension members (RFC 9457, section 3.2), each there only where it says something.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
#[schema(as = ProblemExtensions)]
pub(crate) struct Extensions {
    /// Every error of the request, at most 20.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) errors: Vec<RequestError>,
    /// The status of the job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) job_status: Option<JobStatus>,
    /// URL of the job.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "/api/v1/transcriptions/0197a2b4-7f3e-7c10-8d2e-5a9b1c3d4e5f")]
    pub(crate) status_url: Option<String>,
    /// Why the job failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) job_error: Option<JobFailure>,
    /// The part of the system that does not answer: `postgres` or `storage`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dependency: Option<&'static str>,
    /// The most bytes that are accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) limit_bytes: Option<u64>,
}

impl Extensions {
    /// Members of a problem with a job.
    pub(super) fn of_job(job: JobId, status: Option<JobStatus>) -> Self {
        Self { status_url: Some(job_path(job)), job_status: status, ..Self::default() }
    }
    /// The same with its URLs as clients reach them.
    pub(super) fn below(self, base: &BasePath) -> Self {
        Self { status_url: self.status_url.map(|path| base.join(&path)), ..self }
    }
}
