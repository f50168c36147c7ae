//! `GET /api/v1/models`

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::sync::Semaphore;
use utoipa::ToSchema;
use uuid::Uuid;
use ytcaption_domain::job::{Task, TranscriptionOptions};
use ytcaption_domain::language::AUTO;
use ytcaption_models::{Catalogue, Checksums, ModelEntry, ModelInfo};

use crate::ApiState;
use crate::conditional::{REVALIDATE, is_known};
use crate::parameters::Query;
use crate::problem::{ApiError, Problem};

/// Namespace of the tags of lists (UUID version 5); any fixed random value.
const NAMESPACE: Uuid = Uuid::from_u128(0x3c1e_90d7_52b8_4f0a_8d6c_17f4_a90b_65e2);
/// A submission does not wait longer for the list of models.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);
/// The directory is read for one request at a time: on a disk that hangs, one thread waits and not all.
static READING: Semaphore = Semaphore::const_new(1);

/// Lists the models of this machine; if it has none, the error is the reason in words for the operator.
pub type ModelLister = Arc<dyn Fn() -> Result<Catalogue, String> + Send + Sync>;

/// The models that a request may name.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModelList {
    /// Name of the model of requests that name none.
    #[schema(example = "faster-whisper-small")]
    default: String,
    /// All of them, by name.
    models: Vec<ModelDocument>,
}

/// A model. What is not known of a broken one is absent.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct ModelDocument {
    /// To be given as `model` of a request.
    #[schema(example = "faster-whisper-small")]
    name: String,
    /// Whether it is the model of requests that name none.
    default: bool,
    /// Whether its files are all there, whole and of one model.
    usable: bool,
    /// What is wrong with it and what to do, if it is broken.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    /// Size of the weights on disk, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 244_617_416)]
    weights_bytes: Option<u64>,
    /// Precision of the weights on disk, such as `int8` or `float16`. What a worker computes in is its
    /// setting `models.compute_type`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "float16")]
    precision: Option<&'static str>,
    /// Mel bins of its input: 80, or 128 from large-v3 on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 80)]
    mel_bins: Option<usize>,
    /// Whether it understands more than English, and so can translate.
    #[serde(skip_serializing_if = "Option::is_none")]
    multilingual: Option<bool>,
    /// Whether it can find the time of each word.
    #[serde(skip_serializing_if = "Option::is_none")]
    word_timestamps: Option<bool>,
    /// ISO 639 codes of the languages it understands.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = json!(["en", "pt"]))]
    languages: Option<Vec<String>>,
}

/// Models
///
/// The models that a submission may name as `model`, as this server sees them on its own disk at this moment. Workers on
/// other machines must have them too; give all of them the same directory, and give it to this server. Whether a model is
/// in memory is each worker's affair. Poll with `If-None-Match`: an unchanged list is answered with 304 and no body.
#[utoipa::path(
    get,
    operation_id = "listModels",
    path = "/api/v1/models",
    tag = "transcriptions",
    params(("If-None-Match" = Option<String>, Header, description = "`ETag` of the list that the client knows")),
    responses(
        (status = 200, description = "The models, broken ones with the reason", body = ModelList,
         headers(("ETag" = String, description = "Changes with the list"))),
        (status = 304, description = "The list has not changed since that `ETag`"),
        (status = 400, description = "A parameter cannot be used", body = Problem,
         content_type = "application/problem+json"),
        (status = 404, description = "This server sees no models and does not know which the workers have", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list(
    State(state): State<ApiState>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    Query::new(query.as_deref()).finish()?;
    let permit = READING.acquire().await.map_err(|error| ApiError::Internal { reason: error.to_string() })?;
    let list_models = Arc::clone(&state.models);
    let reading = tokio::task::spawn_blocking(move || {
        let _until_it_is_read = permit;
        list_models().map(|catalogue| ModelList::from_catalogue(&catalogue))
    });
    let listed = reading.await.map_err(|error| ApiError::Internal { reason: error.to_string() })?;
    let list = listed.map_err(|reason| ApiError::ModelsNotSeen { reason })?;
    let body = serde_json::to_vec(&list).map_err(|error| ApiError::Internal { reason: error.to_string() })?;
    let tag = format!("\"{}\"", Uuid::new_v5(&NAMESPACE, &body).simple());
    let headers_of_list = [(ETAG, tag.clone()), (CACHE_CONTROL, REVALIDATE.to_owned())];
    if is_known(&headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, headers_of_list).into_response());
    }
    Ok((headers_of_list, [(CONTENT_TYPE, "application/json")], body).into_response())
}

/// Checks a request against the models that this server sees; where it sees none, or does not see them in time, the worker
/// that gets the job checks it.
///
/// # Errors
/// The model does not exist, or lacks the language or the task.
pub(crate) async fn check(state: &ApiState, options: &TranscriptionOptions) -> Result<(), ApiError> {
    let is_default = options.model.is_none() && options.language == AUTO && options.task == Task::Transcribe;
    if is_default {
        return Ok(());
    }
    let (list_models, options) = (Arc::clone(&state.models), options.clone());
    let checked = async {
        let permit = READING.acquire().await.ok()?;
        let checking = tokio::task::spawn_blocking(move || {
            let _until_it_is_read = permit;
            list_models().map_or(Ok(()), |catalogue| check_against(&catalogue, &options))
        });
        checking.await.ok()
    };
    let outcome = tokio::time::timeout(CHECK_TIMEOUT, checked).await.ok().flatten();
    outcome.unwrap_or(Ok(())).map_err(|(field, detail)| ApiError::invalid_field(field, detail))
}

/// The field that the model cannot satisfy, and what to write instead.
fn check_against(catalogue: &Catalogue, options: &TranscriptionOptions) -> Result<(), (&'static str, String)> {
    let entry = match &options.model {
        None => catalogue.default_model().clone(),
        Some(name) => catalogue.find(name).ok_or_else(|| {
            let names: Vec<String> = catalogue.models().into_iter().map(|entry| entry.name).collect();
            ("model", format!("There is no model `{name}`. This server has: {}.", names.join(", ")))
        })?,
    };
    // Of a broken one nothing is known; a worker may have a complete copy.
    let Ok(Ok(info)) = catch_unwind(AssertUnwindSafe(|| entry.info(Checksums::Skip))) else { return Ok(()) };
    if options.language != AUTO && !info.languages.contains(&options.language) {
        let (language, known) = (&options.language, info.languages.join(", "));
        let detail =
            format!("The model `{}` does not know the language `{language}`; it knows {known} (or `auto`)", entry.name);
        return Err(("language", detail));
    }
    if options.task == Task::Translate && !info.multilingual {
        let detail = format!("The model `{}` knows only English and cannot translate; name another model", entry.name);
        return Err(("task", detail));
    }
    Ok(())
}

impl ModelList {
    /// Reads every model's files but the weights.
    fn from_catalogue(catalogue: &Catalogue) -> Self {
        let default = catalogue.default_model();
        let document =
            |entry: &ModelEntry| ModelDocument { default: entry == default, ..ModelDocument::from_entry(entry) };
        Self { default: default.name.clone(), models: catalogue.models().iter().map(document).collect() }
    }
}

impl ModelDocument {
    fn from_entry(entry: &ModelEntry) -> Self {
        // Whatever one directory contains, the others are listed.
        let read = catch_unwind(AssertUnwindSafe(|| entry.info(Checksums::Skip)));
        let info = match read {
            Ok(Ok(info)) => info,
            Ok(Err(error)) => return Self::broken(entry, &error.to_string()),
            Err(_) => return Self::broken(entry, "reading it failed; the server's log says more"),
        };
        let ModelInfo { weights_bytes, precision, mels, multilingual, can_align, languages, .. } = info;
        Self {
            name: entry.name.clone(),
            usable: true,
            weights_bytes: Some(weights_bytes),
            precision: Some(precision),
            mel_bins: Some(mels),
            multilingual: Some(multilingual),
            word_timestamps: Some(can_align),
            languages: Some(languages),
            ..Self::default()
        }
    }

    /// The path of the directory on the server is removed from the reason.
    fn broken(entry: &ModelEntry, reason: &str) -> Self {
        let problem = reason.replace(&*entry.directory.to_string_lossy(), &entry.name);
        Self { name: entry.name.clone(), problem: Some(problem), ..Self::default() }
    }
}
