//! `POST /api/v1/transcriptions`

use axum::Json;
use axum::extract::{FromRequest, Multipart, Request, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderName, StatusCode};
use tracing::Instrument;
use ytcaption_domain::job::{JobCommand, JobOptions, JobStatus, MediaSource};
use ytcaption_domain::{CommandContext, JobId};
use ytcaption_eventstore::CommandError;

use super::body::{self, MediaType};
use super::form::{File, TranscriptionForm, TranscriptionRequest, Wish};
use super::idempotency::{self, IdempotencyKey};
use super::upload::{Form, StoredUpload, read_form};
use super::view::Receipt;
use crate::ApiState;
use crate::caller::Caller;
use crate::problem::{ApiError, Problem};

/// Submit a recording
///
/// As the address of a page or media file (JSON), or as a file (form). The answer comes as soon as the job is stored;
/// ask `status_url` how far it is, or give a `webhook_url`.
///
/// With an `Idempotency-Key` a request may be repeated safely: the same key and request give the same job.
#[utoipa::path(
    post,
    operation_id = "submitTranscription",
    path = "/api/v1/transcriptions",
    tag = "transcriptions",
    params(
        ("Idempotency-Key" = Option<String>, Header, max_length = 255, example = "7a0ee9b1-6a3c-4a3f-8a44-0f4b9f3f9d52",
         description = "Names the request; repeat it with the request"),
    ),
    request_body(
        content(
            (TranscriptionRequest = "application/json"),
            (TranscriptionForm = "multipart/form-data"),
        ),
        description = "The recording and what is wanted of it",
    ),
    responses(
        (status = 202, description = "The job is stored and will be worked on; also if it was by an earlier request \
                                      with the same key", body = Receipt,
         headers(("Location" = String, description = "The job"))),
        (status = 400, description = "The body or the key cannot be read, or the upload broke off", body = Problem,
         content_type = "application/problem+json"),
        (status = 403, description = "A browser sent it for another site", body = Problem,
         content_type = "application/problem+json"),
        (status = 413, description = "The body or the file is too large", body = Problem,
         content_type = "application/problem+json"),
        (status = 415, description = "The body is neither JSON nor a form", body = Problem,
         content_type = "application/problem+json"),
        (status = 422, description = "Fields cannot be used, all of them named; or the key belongs to another request",
         body = Problem, content_type = "application/problem+json",
         example = json!({
             "type": "/problems/invalid-request",
             "title": "The request has fields that cannot be used",
             "status": 422,
             "detail": "There are 2 faults; `errors` lists them all.",
             "instance": "/api/v1/transcriptions",
             "request_id": "0197a2b4-80aa-7b21-9c54-0d1e2f3a4b5c",
             "errors": [
                 {"pointer": "/url", "detail": "addresses that begin with `file:` are not fetched; give one that \
                                                begins with http:// or https://"},
                 {"pointer": "/language", "detail": "`en-US` is no language that Whisper knows; use `auto` or `en`"}
             ]
         })),
        (status = 503, description = "The database or the storage does not answer", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn submit(
    State(state): State<ApiState>,
    caller: Caller,
    request: Request,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<Receipt>), ApiError> {
    let key = IdempotencyKey::of(request.headers())?;
    let Form { wish, upload } = read(&state, request).await?;
    let order = Order {
        id: key.as_ref().map_or_else(|| JobId(state.ids.new_id()), |key| key.job_id(&caller.account)),
        repeatable: key.is_some(),
        context: caller.context(state.ids),
        wish,
        upload,
    };
    tracing::Span::current().record("job_id", tracing::field::display(order.id));
    // A task of its own: a client that hangs up must not part the job from its upload.
    let placed = tokio::spawn(order.place(state).in_current_span()).await;
    let receipt = placed.map_err(|error| ApiError::Internal(error.to_string()))??;
    Ok((StatusCode::ACCEPTED, [(LOCATION, receipt.status_url.clone())], Json(receipt)))
}

async fn read(state: &ApiState, request: Request) -> Result<Form, ApiError> {
    match MediaType::of(request.headers()) {
        MediaType::Json => {
            let bytes = body::read(request.into_body(), state.settings.max_body_bytes).await?;
            let wish = Wish::read(body::json_object(&bytes)?, File::Absent, &state.network)?;
            Ok(Form { wish, upload: None })
        }
        MediaType::Form => {
            let parts = Multipart::from_request(request, state)
                .await
                .map_err(|error| ApiError::MalformedBody(error.body_text()))?;
            read_form(state, parts).await
        }
        other => Err(other.unsupported()),
    }
}

/// A job to be created.
struct Order {
    id: JobId,
    /// Whether the id names the request, so that the job may be there already.
    repeatable: bool,
    context: CommandContext,
    wish: Wish,
    upload: Option<StoredUpload>,
}

impl Order {
    async fn place(self, state: ApiState) -> Result<Receipt, ApiError> {
        let Self { id, repeatable, context, wish, upload } = self;
        let source = match (&upload, wish.url) {
            (Some(upload), _) => upload.source.clone(),
            (None, Some(url)) => MediaSource::Url { url },
            (None, None) => return Err(ApiError::Internal("a request without a recording was let through".into())),
        };
        let command = JobCommand::Create {
            account: context.account.clone(),
            source,
            options: JobOptions::Transcription(wish.transcription),
            priority: wish.priority,
            webhook_url: wish.webhook_url,
        };
        let outcome = state.jobs.create(id.0, command.clone(), &context).await;
        // The upload of a job that was not created is deleted as it is dropped. When the store did not answer, the job
        // may exist all the same: a blob too many is better than a job without its recording.
        if let Some(upload) = upload
            && matches!(outcome, Ok(_) | Err(CommandError::Unavailable(_)))
        {
            upload.keep();
        }
        match outcome {
            Ok(executed) => {
                let status = executed.aggregate.status.unwrap_or(JobStatus::Pending);
                tracing::info!("job accepted");
                Ok(Receipt::new(id, status, executed.decided_at))
            }
            Err(CommandError::Conflict) if repeatable => idempotency::repeat(&state, id, &command).await,
            Err(error) => Err(ApiError::of_command(id, error)),
        }
    }
}
