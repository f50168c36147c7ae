//! The parts of the OpenAPI document that do not belong to one route.

use utoipa::OpenApi;
use utoipa::openapi::path::{Operation, Parameter, PathItem, PathsBuilder};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, OneOfBuilder, Schema, SchemaFormat, SchemaType, Type};
use utoipa::openapi::{Content, Ref, RefOr, Required, Response, ResponseBuilder, Server};

use ytcaption_domain::captions::{Format, Transcript};
use ytcaption_domain::delivery::{Notification, NotificationData};
use ytcaption_domain::job::{Failure, failure_codes_table};

use crate::base_path::BasePath;
use crate::problem::Problem;
use crate::transcriptions::captions;
use crate::transcriptions::stream::{
    StreamCancelled, StreamCaptions, StreamCompleted, StreamFailure, StreamProgress, StreamStatus, StreamWarning,
};

/// The schemas that have the code of a failure.
const WITH_FAILURE_CODE: [&str; 3] = ["JobFailure", "StreamFailure", "Failure"];
/// The text of a stream, as the HTML standard writes Server-Sent Events: blocks of lines, with an empty line after each.
const EVENT_STREAM: &str = r"^((:.*|retry: [0-9]+|event: [a-z_]+|id: [0-9]+\.[0-9]+|data: \{.*\}|:)?\n)*$";

/// The document without its routes, which describe themselves.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "YTCaption",
        description = "Submit the URL of a video or a file, get its captions.\n\n\
                       There is no sign-in yet: everyone who reaches the interface may use it.\n\n\
                       Errors are problems (RFC 9457, `application/problem+json`); `type` is the URL of a page that \
                       explains the type of problem, `/problems` lists them, and the codes of jobs that failed too. Every \
                       answer has the headers `x-request-id`, which finds the request in the server's log, and \
                       `traceparent`, which finds it in the traces. A request may have both too.",
    ),
    tags(
        (name = "transcriptions", description = "Media and their captions"),
        (name = "operations", description = "For those who run the system"),
    ),
    components(schemas(Problem, Format, Transcript, StreamStatus, StreamProgress, StreamWarning, StreamCaptions,
                       StreamFailure, StreamCompleted, StreamCancelled, Notification, NotificationData, Failure)),
)]
pub(crate) struct ApiDocument;

/// A job has ended
///
/// Sent to the `webhook_url` of a job when it is completed, has failed or was cancelled, as Standard Webhooks say
/// (<https://www.standardwebhooks.com>). Verify the signature over `webhook-id`, `webhook-timestamp` and the body before you
/// believe it; docs/webhooks.md has the code. Answer with 2xx within 15 seconds. Anything else is an attempt that failed: it
/// is repeated after 5 s, 5 min, 30 min, 2 h, 5 h and 10 h, and not after 410. The same notification may come twice, with
/// the same `webhook-id`.
#[utoipa::path(
    post,
    operation_id = "jobEnded",
    path = "/jobEnded",
    tag = "transcriptions",
    params(
        ("webhook-id" = uuid::Uuid, Header, description = "Names the notification; the same in every attempt"),
        ("webhook-timestamp" = i64, Header, description = "When this attempt was signed, in seconds since 1970 (UTC)"),
        ("webhook-signature" = String, Header, example = "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
         description = "`v1,` and the HMAC-SHA256 of `{webhook-id}.{webhook-timestamp}.{body}` in base64"),
    ),
    request_body = Notification,
    responses(
        (status = "2XX", description = "The notification was received"),
        (status = 410, description = "The receiver is gone: no further attempt"),
    )
)]
#[expect(dead_code, reason = "it is described here and served by the receiver")]
fn job_ended() {}

#[derive(OpenApi)]
#[openapi(paths(job_ended))]
struct WebhookDocument;

/// Adds what no route describes by itself: the caption formats, the webhook, the codes of failures, and that every operation
/// may fail by an error of the server.
pub(crate) fn complete(mut description: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    captions::describe_formats(&mut description);
    describe_failure_codes(&mut description);
    for operation in description.paths.paths.values_mut().flat_map(operations) {
        operation.responses.responses.insert("500".to_owned(), RefOr::T(server_error()));
        for parameter in operation.parameters.iter_mut().flatten() {
            if let RefOr::T(parameter) = parameter {
                describe_value(parameter);
            }
        }
        describe_stream(operation);
        // The one body of one kind is the reason of a cancellation.
        if let Some(RefOr::T(body)) = operation.request_body.as_mut()
            && body.content.len() == 1
        {
            body.required = Some(Required::False);
        }
    }
    let webhooks = WebhookDocument::openapi().paths.paths.into_values();
    description.webhooks = Some(webhooks.fold(PathsBuilder::new(), |all, item| all.path("jobEnded", item)).build());
    description
}

/// The description for clients that reach the interface below this path.
pub(crate) fn below(mut description: utoipa::openapi::OpenApi, base: &BasePath) -> utoipa::openapi::OpenApi {
    if !base.is_empty() {
        description.servers = Some(vec![Server::new(base.join(""))]);
    }
    description
}

fn operations(path: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut path.get, &mut path.post].into_iter().flatten()
}

/// A parameter is given or left out, and never `null`; `at` is one of two kinds of value.
fn describe_value(parameter: &mut Parameter) {
    let Some(RefOr::T(Schema::Object(schema))) = &mut parameter.schema else { return };
    if let SchemaType::Array(types) = &schema.schema_type
        && let Some(only) = types.iter().find(|of| **of != Type::Null)
    {
        schema.schema_type = SchemaType::Type(only.clone());
    }
    if parameter.name == "at" {
        let version = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1));
        let time = ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)));
        parameter.schema = Some(OneOfBuilder::new().item(version).item(time).into());
    }
}

fn describe_stream(operation: &mut Operation) {
    let Some(RefOr::T(response)) = operation.responses.responses.get_mut("200") else { return };
    if let Some(RefOr::T(content)) = response.content.get_mut("text/event-stream")
        && let Some(RefOr::T(Schema::Object(schema))) = &mut content.schema
    {
        schema.pattern = Some(EVENT_STREAM.to_owned());
    }
}

/// Lists every code where a code is described.
fn describe_failure_codes(description: &mut utoipa::openapi::OpenApi) {
    let Some(components) = &mut description.components else { return };
    for name in WITH_FAILURE_CODE {
        if let Some(RefOr::T(Schema::Object(schema))) = components.schemas.get_mut(name)
            && let Some(RefOr::T(Schema::Object(code))) = schema.properties.get_mut("code")
        {
            let table = failure_codes_table();
            code.description = Some(format!("Stable word for programs. More may come; those so far:\n\n{table}"));
        }
    }
}

fn server_error() -> Response {
    let problem = Content::new(Some(RefOr::Ref(Ref::from_schema_name("Problem"))));
    ResponseBuilder::new()
        .description("The server made an error; report it with the `request_id`")
        .content("application/problem+json", problem)
        .build()
}
