//! What the description of the interface says beside its routes.

use utoipa::OpenApi;

use crate::problem::Problem;
use crate::transcriptions::TranscriptDocument;

/// The frame of the description; the routes bring their own parts.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "YTCaption",
        description = "Submit the address of a video or a file, get its captions.\n\n\
                       There is no sign-in yet: everybody who reaches the interface may use it.\n\n\
                       Errors are problems (RFC 9457, `application/problem+json`); `type` leads to a page that \
                       explains the kind, `/problems` lists them. Every answer carries `x-request-id`, which finds the \
                       request in the server's log, and `traceparent`, which finds it in the traces. Both may be sent \
                       along.",
    ),
    tags(
        (name = "transcriptions", description = "Recordings and their captions"),
        (name = "operations", description = "For those who run the system"),
    ),
    components(schemas(Problem, TranscriptDocument)),
)]
pub(crate) struct ApiDocument;
