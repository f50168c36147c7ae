//! Every kind of problem the interface reports, on one page.

use axum::http::StatusCode;

/// A kind of problem; its slug never changes once published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProblemKind {
    MalformedBody,
    InvalidParameter,
    UploadBrokenOff,
    CrossSite,
    NoSuchPage,
    JobNotFound,
    ModelsNotSeen,
    MethodNotAllowed,
    NotAcceptable,
    JobNotCompleted,
    JobFailed,
    JobCancelled,
    JobAlreadyEnded,
    TooLarge,
    UnsupportedMediaType,
    ForeignHost,
    InvalidRequest,
    IdempotencyKeyReused,
    TooManyStreamsOfClient,
    UnreadableJob,
    Internal,
    Unavailable,
    Busy,
    TimedOut,
    TooManyStreams,
}

/// What is known of a kind of problem.
pub(crate) struct Entry {
    /// Last part of its URI, `/problems/{slug}`.
    pub(crate) slug: &'static str,
    /// Status code of the answer.
    pub(crate) status: StatusCode,
    /// Short summary, the same every time.
    pub(crate) title: &'static str,
    /// What it means and what to do, for the page that explains it.
    pub(crate) explanation: &'static str,
}

impl ProblemKind {
    /// All kinds, by status code.
    pub(crate) const ALL: [Self; 25] = [
        Self::MalformedBody,
        Self::InvalidParameter,
        Self::UploadBrokenOff,
        Self::CrossSite,
        Self::NoSuchPage,
        Self::JobNotFound,
        Self::ModelsNotSeen,
        Self::MethodNotAllowed,
        Self::NotAcceptable,
        Self::JobNotCompleted,
        Self::JobFailed,
        Self::JobCancelled,
        Self::JobAlreadyEnded,
        Self::TooLarge,
        Self::UnsupportedMediaType,
        Self::ForeignHost,
        Self::InvalidRequest,
        Self::IdempotencyKeyReused,
        Self::TooManyStreamsOfClient,
        Self::UnreadableJob,
        Self::Internal,
        Self::Unavailable,
        Self::Busy,
        Self::TimedOut,
        Self::TooManyStreams,
    ];

    /// The kind of that slug.
    pub(crate) fn of_slug(slug: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.entry().slug == slug)
    }

    /// What is known of it.
    #[expect(clippy::too_many_lines, reason = "a table with a row for each kind")]
    pub(crate) const fn entry(self) -> Entry {
        let (slug, status, title, explanation) = match self {
            Self::MalformedBody => (
                "malformed-body",
                StatusCode::BAD_REQUEST,
                "The body cannot be read",
                "The body is not valid JSON, or not a valid multipart form. `detail` says where reading stopped. \
                 Mend the body and send it again.",
            ),
            Self::InvalidParameter => (
                "invalid-parameter",
                StatusCode::BAD_REQUEST,
                "A parameter cannot be used",
                "Something in the path, the query or a header is not what it should be. `errors` lists every fault \
                 with the name of the parameter.",
            ),
            Self::UploadBrokenOff => (
                "upload-broken-off",
                StatusCode::BAD_REQUEST,
                "The upload broke off",
                "The connection ended, or nothing arrived for a minute, before the whole file was there. Nothing was \
                 stored. Send it again; with the same Idempotency-Key no second job can come of it.",
            ),
            Self::CrossSite => (
                "cross-site-request",
                StatusCode::FORBIDDEN,
                "Requests from other web sites are refused",
                "A browser sent this request on behalf of a page of another site. As there is no sign-in, such \
                 requests may read nothing and change nothing. Use the interface from a program or from its own pages.",
            ),
            Self::NoSuchPage => (
                "no-such-page",
                StatusCode::NOT_FOUND,
                "There is nothing at this address",
                "No resource has this path. `/docs` lists all that there are.",
            ),
            Self::JobNotFound => (
                "job-not-found",
                StatusCode::NOT_FOUND,
                "There is no such job",
                "No job of your account has this id. `GET /api/v1/transcriptions` lists those that there are.",
            ),
            Self::ModelsNotSeen => (
                "models-not-seen",
                StatusCode::NOT_FOUND,
                "This server sees no models",
                "The models lie where the transcription workers run, and this server has none of them on its own disk, so \
                 it cannot tell which there are. `ytcaption models list` on the machine of a worker can; jobs may name \
                 those models all the same. The operator can mount the same folder here and set `models.directory`.",
            ),
            Self::MethodNotAllowed => (
                "method-not-allowed",
                StatusCode::METHOD_NOT_ALLOWED,
                "The resource does not know this method",
                "The header `Allow` lists the methods that it knows.",
            ),
            Self::NotAcceptable => (
                "not-acceptable",
                StatusCode::NOT_ACCEPTABLE,
                "Captions are not available in that format",
                "The header `Accept` allows none of the formats there are: text/plain, application/x-subrip, \
                 text/vtt, application/json. The query parameter `format` overrides the header.",
            ),
            Self::JobNotCompleted => (
                "job-not-completed",
                StatusCode::CONFLICT,
                "The captions are not ready yet",
                "The job has not ended. `job_status` says where it stands; ask `status_url` until it is `completed`, \
                 or give a `webhook_url` at submission.",
            ),
            Self::JobFailed => (
                "job-failed",
                StatusCode::CONFLICT,
                "The job failed, so there are no captions",
                "`job_error` says at which stage and why, and what to do about it. Submit the recording again once \
                 the cause is mended.",
            ),
            Self::JobCancelled => (
                "job-cancelled",
                StatusCode::CONFLICT,
                "The job was cancelled, so there are no captions",
                "Somebody cancelled the job before it was completed. Submit the recording again.",
            ),
            Self::JobAlreadyEnded => (
                "job-already-ended",
                StatusCode::CONFLICT,
                "The job has already ended",
                "A job that is completed or failed cannot be cancelled any more.",
            ),
            Self::TooLarge => (
                "too-large",
                StatusCode::PAYLOAD_TOO_LARGE,
                "The body is too large",
                "`limit_bytes` is the most that is taken. The operator can raise the settings `api.max_body_bytes` \
                 (JSON and form fields) and `api.max_upload_bytes` (files).",
            ),
            Self::UnsupportedMediaType => (
                "unsupported-media-type",
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "The body is of a type that is not read",
                "Send a JSON object as `application/json`, or a file with its fields as `multipart/form-data`, and \
                 name the type in the header `Content-Type`.",
            ),
            Self::ForeignHost => (
                "foreign-host",
                StatusCode::MISDIRECTED_REQUEST,
                "The server does not answer to that name",
                "A web page can make the name of its own site lead to this machine, so names that are not this server's \
                 own are refused. Ask for `localhost` or an IP address. If you reach the server through a proxy or under \
                 a name of its own, the operator adds that name to the setting `api.allowed_hosts`.",
            ),
            Self::InvalidRequest => (
                "invalid-request",
                StatusCode::UNPROCESSABLE_ENTITY,
                "The request has fields that cannot be used",
                "`errors` lists every fault with a JSON pointer to the field. Nothing was created. Mend them all and \
                 send it again.",
            ),
            Self::IdempotencyKeyReused => (
                "idempotency-key-reused",
                StatusCode::UNPROCESSABLE_ENTITY,
                "The Idempotency-Key was used for another request",
                "A job was created under this key from a different request; `status_url` shows it. Use a new key for \
                 a new request, and the same key only to repeat the same one.",
            ),
            Self::TooManyStreamsOfClient => (
                "too-many-streams-of-client",
                StatusCode::TOO_MANY_REQUESTS,
                "Too many streams are open from this address",
                "One client may have only so many streams open. Close one, come back after the seconds in `Retry-After`, \
                 or ask `status_url` now and then. A client is the address at the other end of the connection, so all who \
                 come through one proxy are one; the operator can raise `api.max_streams_per_client`.",
            ),
            Self::UnreadableJob => (
                "unreadable-job",
                StatusCode::INTERNAL_SERVER_ERROR,
                "The job has an event that this version of the program cannot read",
                "`detail` names the event. If a newer version of the program wrote it, as happens while an upgrade is \
                 under way, ask a server of that version, or tell the operator. Nothing is lost, and other jobs are \
                 not affected.",
            ),
            Self::Internal => (
                "internal",
                StatusCode::INTERNAL_SERVER_ERROR,
                "The server made a mistake",
                "This is not the client's fault. Report it with the `request_id`; the server's log has the cause \
                 under it.",
            ),
            Self::Unavailable => (
                "unavailable",
                StatusCode::SERVICE_UNAVAILABLE,
                "A part of the system does not answer",
                "`dependency` names the part. Repeat the request after the seconds in `Retry-After`; with the same \
                 Idempotency-Key a repeated submission creates no second job. `/health/ready` shows all parts.",
            ),
            Self::Busy => (
                "busy",
                StatusCode::SERVICE_UNAVAILABLE,
                "The job is being changed by others",
                "Too many changes of the job came at the same moment. Repeat the request after the seconds in \
                 `Retry-After`.",
            ),
            Self::TimedOut => (
                "timed-out",
                StatusCode::SERVICE_UNAVAILABLE,
                "The answer took too long",
                "The request was given up. Repeat it after the seconds in `Retry-After`; with the same \
                 Idempotency-Key a repeated submission creates no second job.",
            ),
            Self::TooManyStreams => (
                "too-many-streams",
                StatusCode::SERVICE_UNAVAILABLE,
                "Too many streams are open",
                "As many clients are streaming captions as this server takes. Come back after the seconds in \
                 `Retry-After`, or ask `status_url` now and then. The operator can raise `api.max_streams`, or run \
                 more servers.",
            ),
        };
        Entry { slug, status, title, explanation }
    }
}

#[cfg(test)]
mod tests {
    use super::ProblemKind;

    #[test]
    fn every_kind_is_found_by_its_own_slug() {
        assert!(ProblemKind::ALL.iter().all(|kind| ProblemKind::of_slug(kind.entry().slug) == Some(*kind)));
        let statuses: Vec<u16> = ProblemKind::ALL.iter().map(|kind| kind.entry().status.as_u16()).collect();
        assert!(statuses.is_sorted(), "{statuses:?}");
    }
}
