//! Every problem that the interface answers with, each described in one place.

use std::fmt;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use ytcaption_application::JobFailure;
use ytcaption_domain::JobId;
use ytcaption_domain::captions::Format;
use ytcaption_domain::job::JobStatus;
use ytcaption_domain::text;
use ytcaption_projections::AsOf;

use super::RequestError;
use super::document::Extensions;

/// Longest `detail`, in characters; it may quote the request.
const MAX_DETAIL_CHARS: usize = 1_500;
/// Most errors of one request that are listed.
const MAX_LISTED_ERRORS: usize = 20;

/// What is known of a type of problem.
pub(crate) struct ProblemType {
    /// Last part of its URI, `/problems/{code}`; never changes once published.
    pub(crate) code: &'static str,
    /// Status code of the answer.
    pub(crate) status: StatusCode,
    /// Short summary, the same every time.
    pub(crate) title: &'static str,
    /// What it means and what to do next, for the page that explains it.
    pub(crate) explanation: &'static str,
}

/// Declares [`ApiError`]: for each variant its fields, its [`ProblemType`], the `detail` of one occurrence, and where
/// there are any its extension members and what the log says beyond the `detail`.
macro_rules! problems {
    (@extensions) => { Extensions::default() };
    (@extensions $extensions:expr) => { $extensions };
    (@cause) => { None };
    (@cause $cause:expr) => { Some($cause.as_str()) };
    ($(
        $variant:ident $(($($field:ident: $field_type:ty),+))? {
            code: $code:literal,
            status: $status:ident,
            title: $title:literal,
            detail: $detail:expr,
            explanation: $explanation:literal,
            $(extensions: $extensions:expr,)?
            $(cause: $cause:expr,)?
        }
    )+) => {
        /// The one error that handlers return.
        #[derive(Debug, Clone)]
        pub(crate) enum ApiError {
            $($variant $({ $($field: $field_type),+ })?,)+
        }

        /// Every type of problem, by status code.
        pub(super) const PROBLEM_TYPES: &[ProblemType] = &[$(
            ProblemType { code: $code, status: StatusCode::$status, title: $title, explanation: $explanation },
        )+];

        #[allow(unused_variables, reason = "not every problem uses every field everywhere")]
        impl ApiError {
            pub(super) fn problem_type(&self) -> &'static ProblemType {
                match self {
                    $(Self::$variant { .. } => const {
                        &ProblemType {
                            code: $code,
                            status: StatusCode::$status,
                            title: $title,
                            explanation: $explanation,
                        }
                    },)+
                }
            }

            /// What happened this time and what to do next.
            pub(super) fn detail(&self) -> String {
                match self {
                    $(Self::$variant $({ $($field),+ })? => text::clean($detail.as_ref(), MAX_DETAIL_CHARS),)+
                }
            }

            /// The members that only some problems have.
            pub(super) fn extensions(&self) -> Extensions {
                match self {
                    $(Self::$variant $({ $($field),+ })? => problems!(@extensions $($extensions)?),)+
                }
            }

            /// What went wrong inside, for the log and not for the client.
            pub(super) fn cause(&self) -> Option<&str> {
                match self {
                    $(Self::$variant $({ $($field),+ })? => problems!(@cause $($cause)?),)+
                }
            }
        }
    };
}

problems! {
    MalformedBody(reason: String) {
        code: "malformed-body",
        status: BAD_REQUEST,
        title: "The body cannot be read",
        detail: format!("The body cannot be read: {reason}. Correct it and send it again."),
        explanation: "The body is not valid JSON, or not a valid multipart form. `detail` says where the error is. \
                      Correct the body and send it again.",
    }
    InvalidParameter(errors: Vec<RequestError>) {
        code: "invalid-parameter",
        status: BAD_REQUEST,
        title: "A parameter is not valid",
        detail: summary(errors),
        explanation: "A parameter in the path, the query or a header is not valid. `errors` lists every error, at most \
                      20, with the name of the parameter.",
        extensions: Extensions { errors: listed(errors), ..Extensions::default() },
    }
    UploadBrokenOff(reason: String) {
        code: "upload-broken-off",
        status: BAD_REQUEST,
        title: "The upload broke off",
        detail: "The upload broke off before the whole file had arrived; nothing was stored. Send it again.",
        explanation: "The connection ended, or nothing arrived for a minute, before the whole file had arrived. Nothing \
                      was stored. Send it again; with the same Idempotency-Key it creates at most one job.",
        cause: reason,
    }
    CrossSite {
        code: "cross-site-request",
        status: FORBIDDEN,
        title: "Requests from other web sites are refused",
        detail: "A page of another web site sent the request, and such requests are refused.",
        explanation: "A browser sent this request on behalf of a page of another site. As there is no sign-in, such \
                      requests may read nothing and change nothing. Send requests from a program, or from the pages of \
                      this server.",
    }
    PermissionDenied(reason: String) {
        code: "permission-denied",
        status: FORBIDDEN,
        title: "The caller may not do this",
        detail: format!("The request is not permitted: {reason}."),
        explanation: "The credentials of the request do not permit it. `detail` says what they lack.",
    }
    NoSuchPage {
        code: "no-such-page",
        status: NOT_FOUND,
        title: "There is nothing at this URL",
        detail: "There is nothing at this URL. The API's documentation (docs) lists all resources.",
        explanation: "No resource has this path. The API's documentation (`docs`) lists all resources.",
    }
    JobNotFound(job: JobId) {
        code: "job-not-found",
        status: NOT_FOUND,
        title: "There is no such job",
        detail: format!("There is no job {job}. GET /api/v1/transcriptions lists all jobs."),
        explanation: "No job of your account has this id. `GET /api/v1/transcriptions` lists all jobs.",
    }
    ModelsNotSeen(reason: String) {
        code: "models-not-seen",
        status: NOT_FOUND,
        title: "This server sees no models",
        detail: "This server has no models on its own disk and does not know which the workers have; `ytcaption models \
                 list` on the machine of a worker lists them. The operator may give this server the directory of the workers \
                 (models.directory).",
        explanation: "The models are where the transcription workers run, and this server has none of them on its own \
                      disk, so it does not know which there are. `ytcaption models list` on a worker lists them; \
                      jobs may name those models all the same. The operator can mount the same directory here and set \
                      `models.directory`.",
        cause: reason,
    }
    MethodNotAllowed {
        code: "method-not-allowed",
        status: METHOD_NOT_ALLOWED,
        title: "The resource does not have this method",
        detail: "This resource does not have the method; the header Allow lists those that it has.",
        explanation: "The header `Allow` lists the methods that the resource has.",
    }
    NotAcceptable {
        code: "not-acceptable",
        status: NOT_ACCEPTABLE,
        title: "Captions are not available in that format",
        detail: format!("The header Accept allows none of {}. Allow one of them, or use `format`.", Format::media_types()),
        explanation: "The header `Accept` allows none of the media types of captions; `detail` lists them. The query \
                      parameter `format` overrides the header.",
    }
    JobNotCompleted(job: JobId, status: JobStatus, at: Option<AsOf>) {
        code: "job-not-completed",
        status: CONFLICT,
        title: "The captions are not ready yet",
        detail: match at {
            None => format!("The job is {status}. Ask again at status_url until it is completed."),
            Some(at) => format!(
                "At {at} the job was {status}, and there were no captions. Leave `at` out to get the newest captions."
            ),
        },
        explanation: "The job has not ended. `job_status` is its status; ask `status_url` until it is `completed`, or \
                      give a `webhook_url` at submission.",
        extensions: Extensions::of_job(*job, Some(*status)),
    }
    JobFailed(job: JobId, failure: JobFailure) {
        code: "job-failed",
        status: CONFLICT,
        title: "The job failed, so there are no captions",
        detail: format!("The job failed: {}", failure.message),
        explanation: "`job_error` says which step failed and why, and what to do about it. Submit the media again once \
                      the cause is corrected.",
        extensions: Extensions {
            job_error: Some(failure.clone()),
            ..Extensions::of_job(*job, Some(JobStatus::Failed))
        },
    }
    JobCancelled(job: JobId) {
        code: "job-cancelled",
        status: CONFLICT,
        title: "The job was cancelled, so there are no captions",
        detail: "The job was cancelled, so there are no captions. Submit the media again.",
        explanation: "A client cancelled the job before it was completed. Submit the media again.",
        extensions: Extensions::of_job(*job, Some(JobStatus::Cancelled)),
    }
    JobAlreadyEnded(job: JobId, status: JobStatus) {
        code: "job-already-ended",
        status: CONFLICT,
        title: "The job has already ended",
        detail: format!("The job is {status}, so it cannot be cancelled any more."),
        explanation: "A job that is completed or failed cannot be cancelled any more.",
        extensions: Extensions::of_job(*job, Some(*status)),
    }
    JobNotRetryable(job: JobId, status: JobStatus) {
        code: "job-not-retryable",
        status: CONFLICT,
        title: "The job is not done once more",
        detail: format!("The job is {status}; only a job that failed or was cancelled is done once more."),
        explanation: "Only a job that failed or was cancelled is done once more. A job that is not finished is retried by \
                      itself where that helps; for captions with other options submit the media again.",
        extensions: Extensions::of_job(*job, Some(*status)),
    }
    MediaGone(job: JobId) {
        code: "media-gone",
        status: GONE,
        title: "The media of the job is gone",
        detail: "What the job was made of is no longer stored. Submit the media again.",
        explanation: "The job was erased, or its upload is no longer in the storage. Submit the media again.",
        extensions: Extensions::of_job(*job, None),
    }
    TooLarge(limit: u64) {
        code: "too-large",
        status: PAYLOAD_TOO_LARGE,
        title: "The body is too large",
        detail: format!("The body is larger than {limit} bytes. Send less, or ask the operator to raise the limit."),
        explanation: "`limit_bytes` is the most that is accepted. The operator can raise the settings \
                      `api.max_body_bytes` (JSON and form fields) and `api.max_upload_bytes` (files).",
        extensions: Extensions { limit_bytes: Some(*limit), ..Extensions::default() },
    }
    UnsupportedMediaType(reason: String) {
        code: "unsupported-media-type",
        status: UNSUPPORTED_MEDIA_TYPE,
        title: "The media type of the body is not supported",
        detail: format!(
            "{reason} Send application/json or multipart/form-data and name it in the header Content-Type."
        ),
        explanation: "Send a JSON object as `application/json`, or a file with its fields as `multipart/form-data`, and \
                      name the type in the header `Content-Type`.",
    }
    HostNotAllowed(host: String) {
        code: "host-not-allowed",
        status: MISDIRECTED_REQUEST,
        title: "The server does not answer to that name",
        detail: format!(
            "This server does not answer to the name `{host}`. Use localhost or an IP address; if the name is this \
             server's own, its operator adds it to the setting api.allowed_hosts."
        ),
        explanation: "A web page can make the name of its own site lead to this machine, so names that are not this \
                      server's own are refused. Use `localhost` or an IP address. If you reach the server through a \
                      proxy or under a name of its own, the operator adds that name to the setting \
                      `api.allowed_hosts`.",
    }
    InvalidRequest(errors: Vec<RequestError>) {
        code: "invalid-request",
        status: UNPROCESSABLE_ENTITY,
        title: "The request has fields that are not valid",
        detail: summary(errors),
        explanation: "`errors` lists every error, at most 20, with a JSON pointer to the field. Nothing was created. Correct them \
                      all and send the request again.",
        extensions: Extensions { errors: listed(errors), ..Extensions::default() },
    }
    IdempotencyKeyReused(job: JobId) {
        code: "idempotency-key-reused",
        status: UNPROCESSABLE_ENTITY,
        title: "The Idempotency-Key was used for another request",
        detail: "This Idempotency-Key has created a job from a different request. Use a new key for a new request.",
        explanation: "A different request with this key has created a job; `status_url` shows it. Use a new key for a \
                      new request, and the same key only to repeat the same one.",
        extensions: Extensions::of_job(*job, None),
    }
    TooManyStreamsOfClient {
        code: "too-many-streams-of-client",
        status: TOO_MANY_REQUESTS,
        title: "Too many streams are open from this address",
        detail: "This address has as many streams open as one client may have. Close one, come back in a few seconds, \
                 or poll status_url instead.",
        explanation: "The number of open streams is limited for each client. Close one, come back after the seconds in \
                      `Retry-After`, or poll `status_url`. A client is the address at the other end of the connection, \
                      so all who come through one proxy are one client, unless the operator names it in \
                      `api.trusted_proxies`; the operator can also raise `api.max_streams_per_client`.",
    }
    UnreadableJob(reason: String) {
        code: "unreadable-job",
        status: INTERNAL_SERVER_ERROR,
        title: "The job has an event that this version of the program cannot read",
        detail: format!("The job cannot be read here: {reason}. Other jobs are not affected."),
        explanation: "`detail` names the event. If a newer version of the program wrote it, as happens during an \
                      upgrade, ask a server of that version, or report it to the operator. Nothing is lost, and other jobs are \
                      not affected.",
    }
    Internal(reason: String) {
        code: "internal",
        status: INTERNAL_SERVER_ERROR,
        title: "The server made an error",
        detail: "The server made an error. Report it with the request_id.",
        explanation: "The client did not cause this. Report it with the `request_id`; the server's log has the cause \
                      under it.",
        cause: reason,
    }
    Unavailable(dependency: &'static str, reason: String) {
        code: "unavailable",
        status: SERVICE_UNAVAILABLE,
        title: "A part of the system does not answer",
        detail: format!("{dependency} is not available at the moment. Repeat the request in a few seconds."),
        explanation: "`dependency` names the part. Repeat the request after the seconds in `Retry-After`; with the same \
                      Idempotency-Key a repeated submission creates no second job. `/health/ready` shows all parts.",
        extensions: Extensions { dependency: Some(*dependency), ..Extensions::default() },
        cause: reason,
    }
    Busy {
        code: "busy",
        status: SERVICE_UNAVAILABLE,
        title: "Other commands keep changing the job",
        detail: "Other commands keep changing the job. Repeat the request in a second.",
        explanation: "Too many commands changed the job at the same moment. Repeat the request after the seconds in \
                      `Retry-After`.",
    }
    TimedOut(seconds: u64) {
        code: "timed-out",
        status: SERVICE_UNAVAILABLE,
        title: "The answer took too long",
        detail: format!(
            "The answer took longer than {seconds} seconds, so the request was ended. Repeat it in a few seconds."
        ),
        explanation: "The request was ended. Repeat it after the seconds in `Retry-After`; with the same \
                      Idempotency-Key a repeated submission creates no second job.",
    }
    TooManyStreams {
        code: "too-many-streams",
        status: SERVICE_UNAVAILABLE,
        title: "Too many streams are open",
        detail: "This server has as many streams open as it may have. Come back in a few seconds, or poll status_url \
                 instead.",
        explanation: "The number of open streams of a server is limited. Come back after the seconds in `Retry-After`, \
                      or poll `status_url`. The operator can raise `api.max_streams`, or run more servers.",
    }
}

/// The errors that the answer lists: a request may have thousands.
fn listed(errors: &[RequestError]) -> Vec<RequestError> {
    errors.iter().take(MAX_LISTED_ERRORS).cloned().collect()
}

fn summary(errors: &[RequestError]) -> String {
    match errors {
        [one] => one.detail.clone(),
        many if many.len() > MAX_LISTED_ERRORS => {
            format!("There are {} errors; `errors` lists the first {MAX_LISTED_ERRORS}.", many.len())
        }
        many => format!("There are {} errors; `errors` lists them all.", many.len()),
    }
}

impl ApiError {
    /// One field of the body is not valid, or the whole body if the name is empty.
    pub(crate) fn invalid_field(name: &str, detail: impl AsRef<str>) -> Self {
        Self::InvalidRequest { errors: vec![RequestError::in_field(name, detail)] }
    }

    /// One parameter is not valid.
    pub(crate) fn invalid_parameter(name: &str, detail: impl AsRef<str>) -> Self {
        Self::InvalidParameter { errors: vec![RequestError::in_parameter(name, detail)] }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail())
    }
}

impl IntoResponse for ApiError {
    /// Only the status and the error itself: [`super::render`] writes the document, as it knows the request.
    fn into_response(self) -> Response {
        let mut response = self.problem_type().status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::PROBLEM_TYPES;

    #[test]
    fn every_problem_has_a_code_of_its_own_and_they_are_listed_by_status() {
        let codes: BTreeSet<&str> = PROBLEM_TYPES.iter().map(|problem| problem.code).collect();
        assert_eq!(codes.len(), PROBLEM_TYPES.len());
        let statuses: Vec<u16> = PROBLEM_TYPES.iter().map(|problem| problem.status.as_u16()).collect();
        assert!(statuses.is_sorted(), "{statuses:?}");
    }
}
