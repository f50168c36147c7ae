//! `POST /api/v1/transcriptions`

use axum::Json;
use axum::extract::{FromRequest, Multipart, Request, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use serde_json::{Map, Value};
use tracing::Instrument;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::{PartialSchema, ToSchema};
use ytcaption_application::{
    IdempotencyKey, InvalidIdempotencyKey, MediaLocation, Principal, StoredUpload, SubmitRequest, SubmitTranscription,
};
use ytcaption_domain::network::AddressPolicy;

use super::body::{self, FieldReader, MediaType};
use super::upload;
use super::view::JobAccepted;
use crate::base_path::BasePath;
use crate::principal::Authenticated;
use crate::problem::{ApiError, Problem};
use crate::{ApiState, models};

/// <https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/>
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The fields of [`SubmitRequest`] as a form, with a file beside them.
pub(crate) struct SubmitForm;

impl PartialSchema for SubmitForm {
    fn schema() -> RefOr<Schema> {
        let RefOr::T(Schema::Object(mut form)) = SubmitRequest::schema() else {
            unreachable!("a struct with named fields is described as an object");
        };
        let file = ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)))
            .description(Some("The media; anything that ffmpeg reads. Required unless a URL is given."));
        form.properties.insert("file".to_owned(), file.into());
        form.description = Some(
            "Media to be captioned, as a file. Give the fields before the file: errors are then found before it is \
             sent."
                .to_owned(),
        );
        form.example = None;
        RefOr::T(Schema::Object(form))
    }
}

impl ToSchema for SubmitForm {}

/// Submit media
///
/// As the URL of a page or media file (JSON), or as a file (form). The answer comes as soon as the job is stored; poll
/// `status_url` for its progress, or give a `webhook_url`.
///
/// With an `Idempotency-Key` a request may be repeated safely: the same key and request give the same job.
#[utoipa::path(
    post,
    operation_id = "submitTranscription",
    path = "/api/v1/transcriptions",
    tag = "transcriptions",
    params(
        ("Idempotency-Key" = Option<String>, Header, max_length = 255, pattern = "^[!-~]{1,255}$", example = "7a0ee9b1-6a3c-4a3f-8a44-0f4b9f3f9d52",
         description = "Names the request; repeat it with the request"),
    ),
    request_body(
        content(
            (SubmitRequest = "application/json"),
            (SubmitForm = "multipart/form-data"),
        ),
        description = "The media and the options of its transcription",
    ),
    responses(
        (status = 202, description = "The job is stored and will be worked on; also if it was by an earlier request \
                                      with the same key", body = JobAccepted,
         headers(("Location" = String, description = "The job"))),
        (status = 400, description = "The body or the key cannot be read, or the upload broke off", body = Problem,
         content_type = "application/problem+json"),
        (status = 403, description = "A browser sent it for another site", body = Problem,
         content_type = "application/problem+json"),
        (status = 413, description = "The body or the file is too large", body = Problem,
         content_type = "application/problem+json"),
        (status = 415, description = "The body is neither JSON nor a form", body = Problem,
         content_type = "application/problem+json"),
        (status = 422, description = "Fields are not valid, all of them named; or the key belongs to another request",
         body = Problem, content_type = "application/problem+json",
         example = json!({
             "type": "/problems/invalid-request",
             "title": "The request has fields that are not valid",
             "status": 422,
             "detail": "There are 2 errors; `errors` lists them all.",
             "instance": "/api/v1/transcriptions",
             "request_id": "0197a2b4-80aa-7b21-9c54-0d1e2f3a4b5c",
             "errors": [
                 {"pointer": "/url", "detail": "addresses that begin with `file:` are not fetched; give one that \
                                                begins with http:// or https://"},
                 {"pointer": "/language", "detail": "`en-US` is not a language that Whisper knows; use `auto` or `en`"}
             ]
         })),
        (status = 503, description = "The database or the storage does not answer", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn submit(
    State(state): State<ApiState>,
    base: BasePath,
    Authenticated(principal): Authenticated,
    request: Request,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<JobAccepted>), ApiError> {
    let key = idempotency_key(request.headers())?;
    let (request, upload) = parse_request(&state, &principal, request).await?;
    // A task of its own: a client that hangs up must not part the job from its upload.
    let submission = async move { state.commands.submit(&principal, request, upload, key.as_ref()).await };
    let submitted = tokio::spawn(submission.in_current_span()).await;
    let accepted = submitted.map_err(|error| ApiError::Internal { reason: error.to_string() })??;
    let accepted = JobAccepted::new(accepted, &base);
    Ok((StatusCode::ACCEPTED, [(LOCATION, accepted.status_url.clone())], Json(accepted)))
}

/// The key in the headers, if there is one.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, InvalidIdempotencyKey> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(key), None) => key.to_str().map_err(|_| InvalidIdempotencyKey)?.parse().map(Some),
        (Some(_), Some(_)) => Err(InvalidIdempotencyKey),
    }
}

async fn parse_request(
    state: &ApiState,
    principal: &Principal,
    request: Request,
) -> Result<(SubmitTranscription, Option<StoredUpload>), ApiError> {
    match MediaType::from_headers(request.headers()) {
        MediaType::Json => {
            let bytes = body::collect(request.into_body(), state.settings.max_body_bytes).await?;
            Ok((checked(state, body::json_object(&bytes)?, MediaLocation::Url).await?, None))
        }
        MediaType::Form => {
            let parts = Multipart::from_request(
                upload::at_least_rate(request, state.settings.min_upload_bytes_per_second),
                state,
            )
            .await
            .map_err(|error| ApiError::MalformedBody { reason: error.body_text() })?;
            upload::read_form(state, principal, parts).await
        }
        other => Err(other.unsupported()),
    }
}

/// Reads and checks the fields of a submission, and whether the models of this server can do it.
///
/// # Errors
/// Every error of every field.
pub(super) async fn checked(
    state: &ApiState,
    given: Map<String, Value>,
    location: MediaLocation,
) -> Result<SubmitTranscription, ApiError> {
    let request = validated(given, location, &state.network)?;
    models::check(state, &request.transcription).await?;
    Ok(request)
}

/// Reads and checks the fields of a submission.
///
/// # Errors
/// Every error of every field.
fn validated(
    given: Map<String, Value>,
    location: MediaLocation,
    network: &AddressPolicy,
) -> Result<SubmitTranscription, ApiError> {
    let mut fields = FieldReader::new(given);
    let request = SubmitRequest {
        url: fields.text("url"),
        youtube_url: fields.text("youtube_url"),
        language: fields.text("language"),
        task: fields.text("task"),
        priority: fields.text("priority"),
        model: fields.text("model"),
        initial_prompt: fields.text("initial_prompt"),
        prompt: fields.text("prompt"),
        hotwords: fields.text("hotwords"),
        word_timestamps: fields.flag("word_timestamps"),
        audio_track: fields.number("audio_track"),
        webhook_url: fields.text("webhook_url"),
    };
    fields.finish(request.validate(location, network))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use serde_json::json;

    use super::*;

    fn invalid_fields(given: &Value) -> Vec<String> {
        let object = given.as_object().cloned().expect("an object");
        match validated(object, MediaLocation::Url, &AddressPolicy::default()) {
            Err(ApiError::InvalidRequest { errors }) => {
                let mut pointers: Vec<_> = errors.into_iter().map(|error| error.pointer.unwrap_or_default()).collect();
                pointers.sort();
                pointers
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn errors_of_the_json_and_of_the_values_come_together() {
        let given = json!({
            "url": "file:///etc/passwd", "language": "klingon", "priority": 1, "colour": "blue", "a/b": 1,
            "word_timestamps": "yes", "prompt": null, "initial_prompt": "", "audio_track": 0,
        });
        assert_eq!(
            invalid_fields(&given),
            ["/audio_track", "/a~1b", "/colour", "/language", "/priority", "/url", "/word_timestamps"]
        );
        assert_eq!(invalid_fields(&json!({"url": 7})), ["/url"], "one error of a field");
    }

    #[test]
    fn a_form_has_texts_where_json_has_booleans_and_numbers() {
        for (given, expected) in [
            (json!({"word_timestamps": true}), Some(true)),
            (json!({"word_timestamps": " true "}), Some(true)),
            (json!({"word_timestamps": "false"}), Some(false)),
            (json!({"word_timestamps": ""}), None),
            (json!({"word_timestamps": null}), None),
        ] {
            let object = given.as_object().cloned().expect("an object");
            let request = validated(object, MediaLocation::Upload, &AddressPolicy::default()).expect("valid");
            assert_eq!(request.transcription.word_timestamps, expected, "{given}");
        }
        let track = |given: Value| json!({ "url": "https://example.org/a", "audio_track": given });
        for (given, expected) in [(json!(2), Some(2)), (json!(" 2 "), Some(2)), (json!(""), None), (Value::Null, None)]
        {
            let object = track(given.clone()).as_object().cloned().expect("an object");
            let request = validated(object, MediaLocation::Url, &AddressPolicy::default()).expect("valid");
            assert_eq!(request.transcription.audio_track, expected, "{given}");
        }
        for given in [json!(0), json!(-1), json!(1.5), json!("two"), json!(1001), json!(1e30), json!(true)] {
            assert_eq!(invalid_fields(&track(given)), ["/audio_track"]);
        }
    }

    #[test]
    fn the_description_names_the_fields_that_are_read() {
        let described = serde_json::to_value(SubmitRequest::default()).expect("plain data");
        let names: Vec<&String> = described.as_object().expect("an object").keys().collect();
        let all: Value = names.iter().map(|name| ((*name).clone(), json!([1]))).collect::<Map<_, _>>().into();
        let mut expected: Vec<String> = names.iter().map(|name| format!("/{name}")).collect();
        expected.sort();
        assert_eq!(invalid_fields(&all), expected, "lists are not texts, and no other field is unknown");
        assert_eq!(invalid_fields(&json!({"url": "https://example.org/a", "colour": 1})), ["/colour"]);
    }

    #[test]
    fn a_key_that_is_not_valid_is_refused() {
        let key = |values: &[&'static str]| {
            let pairs =
                values.iter().map(|value| (IDEMPOTENCY_KEY.parse().expect("a name"), HeaderValue::from_static(value)));
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                let name: HeaderName = name;
                headers.append(name, value);
            }
            idempotency_key(&headers)
        };
        assert_eq!(key(&[]), Ok(None));
        assert_eq!(key(&["0b51-a"]), Ok("0b51-a".parse().ok()));
        for values in [&[""][..], &["a b"], &["a", "b"]] {
            assert_eq!(key(values), Err(InvalidIdempotencyKey), "{values:?}");
        }
    }
}
