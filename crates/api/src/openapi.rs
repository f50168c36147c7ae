//! The parts of the OpenAPI document that do not belong to one route.

use utoipa::OpenApi;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::{Content, Ref, RefOr, Response, ResponseBuilder};

use ytcaption_domain::captions::{Format, Transcript};

use crate::problem::Problem;
use crate::transcriptions::captions;
use crate::transcriptions::stream::{
    StreamCancelled, StreamCaptions, StreamCompleted, StreamFailure, StreamProgress, StreamStatus, StreamWarning,
};

/// The document without its routes, which describe themselves.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "YTCaption",
        description = "Submit the URL of a video or a file, get its captions.\n\n\
                       There is no sign-in yet: everyone who reaches the interface may use it.\n\n\
                       Errors are problems (RFC 9457, `application/problem+json`); `type` is the URL of a page that \
                       explains the type of problem, `/problems` lists them. Every answer has the headers \
                       `x-request-id`, which finds the request in the server's log, and `traceparent`, which finds it \
                       in the traces. A request may have both too.",
    ),
    tags(
        (name = "transcriptions", description = "Media and their captions"),
        (name = "operations", description = "For those who run the system"),
    ),
    components(schemas(Problem, Format, Transcript, StreamStatus, StreamProgress, StreamWarning, StreamCaptions, StreamFailure, StreamCompleted,
                       StreamCancelled)),
)]
pub(crate) struct ApiDocument;

/// Adds what no route describes by itself: the caption formats, and that every operation may fail by an error of the
/// server.
pub(crate) fn complete(mut description: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    captions::describe_formats(&mut description);
    for operation in description.paths.paths.values_mut().flat_map(operations) {
        operation.responses.responses.insert("500".to_owned(), RefOr::T(server_error()));
    }
    description
}

fn operations(path: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut path.get, &mut path.post].into_iter().flatten()
}

fn server_error() -> Response {
    let problem = Content::new(Some(RefOr::Ref(Ref::from_schema_name("Problem"))));
    ResponseBuilder::new()
        .description("The server made an error; report it with the `request_id`")
        .content("application/problem+json", problem)
        .build()
}
