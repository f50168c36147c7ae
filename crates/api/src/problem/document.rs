//! The document a client receives.

use serde::Serialize;
use utoipa::ToSchema;
use ytcaption_projections::JobView;

use super::Fault;
use crate::transcriptions::Status;

/// A problem as RFC 9457 writes it, with the members this interface adds.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// What kind of problem it is; the address explains it. Compare this, not the texts.
    #[serde(rename = "type")]
    #[schema(example = "/problems/job-not-completed")]
    pub(crate) kind: String,
    /// Summary of the kind.
    #[schema(example = "The captions are not ready yet")]
    pub(crate) title: String,
    /// The status code of the answer.
    #[schema(example = 409)]
    pub(crate) status: u16,
    /// What happened this time and what to do next.
    #[schema(example = "The job is transcribing. Ask again at status_url, or submit with a webhook_url.")]
    pub(crate) detail: String,
    /// The path that was asked for.
    #[schema(example = "/api/v1/transcriptions/0197a2b4-7f3e-7c10-8d2e-5a9b1c3d4e5f/result")]
    pub(crate) instance: String,
    /// Finds the request in the server's log.
    #[schema(example = "0197a2b4-80aa-7b21-9c54-0d1e2f3a4b5c")]
    pub(crate) request_id: String,
    #[serde(flatten)]
    pub(crate) more: Extensions,
}

/// Members beyond those of RFC 9457, each there only where it says something.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
#[schema(as = ProblemExtensions)]
pub(crate) struct Extensions {
    /// Every fault of the request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) errors: Vec<Fault>,
    /// Where the job stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) job_status: Option<Status>,
    /// Where to ask for the job.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "/api/v1/transcriptions/0197a2b4-7f3e-7c10-8d2e-5a9b1c3d4e5f")]
    pub(crate) status_url: Option<String>,
    /// Why the job failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) job_error: Option<JobError>,
    /// The part of the system that does not answer: `postgres` or `storage`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dependency: Option<&'static str>,
    /// The most bytes that are taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) limit_bytes: Option<u64>,
}

/// Why the latest attempt at a job failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct JobError {
    /// `download` or `transcribe`.
    #[schema(example = "download")]
    pub(crate) stage: String,
    /// Stable word for programs.
    #[schema(example = "no_audio_track")]
    pub(crate) code: String,
    /// What happened and what to do next.
    #[schema(example = "The video has no audio track, so there is nothing to transcribe.")]
    pub(crate) message: String,
}

impl JobError {
    /// The failure that a job shows, if it shows one.
    pub(crate) fn of(view: &JobView) -> Option<Self> {
        Some(Self {
            stage: view.error_step.clone()?,
            code: view.error_code.clone()?,
            message: view.error_message.clone()?,
        })
    }
}
