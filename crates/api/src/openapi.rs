//! What the description of the interface says beside its routes.

use utoipa::OpenApi;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::{Content, Ref, RefOr, Response, ResponseBuilder};

use crate::audit::{EntryDocument, EventDocument, ParkedEventDocument, TimelineDocument};
use crate::problem::Problem;
use crate::transcriptions::TranscriptDocument;
use crate::transcriptions::stream::{
    StreamCancelled, StreamCaptions, StreamCompleted, StreamFailure, StreamProgress, StreamStatus, StreamWarning,
};

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
    components(schemas(Problem, TranscriptDocument, EventDocument, TimelineDocument, EntryDocument, ParkedEventDocument,
                       StreamStatus, StreamProgress, StreamWarning, StreamCaptions, StreamFailure, StreamCompleted,
                       StreamCancelled)),
)]
pub(crate) struct ApiDocument;

/// Adds what holds for every operation: that any of them may fail by the server's own fault.
pub(crate) fn with_common_answers(mut description: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    for operation in description.paths.paths.values_mut().flat_map(operations) {
        operation.responses.responses.insert("500".to_owned(), RefOr::T(server_fault()));
    }
    description
}

fn operations(path: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut path.get, &mut path.post].into_iter().flatten()
}

fn server_fault() -> Response {
    let problem = Content::new(Some(RefOr::Ref(Ref::from_schema_name("Problem"))));
    ResponseBuilder::new()
        .description("The server made a mistake; report it with the `request_id`")
        .content("application/problem+json", problem)
        .build()
}
