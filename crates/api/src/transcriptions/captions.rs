//! `GET /api/v1/transcriptions/{id}/result`

use axum::extract::{RawQuery, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, ETAG, VARY};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use utoipa::openapi::schema::Type;
use utoipa::openapi::{Content, ContentBuilder, ObjectBuilder, OpenApi, Ref, RefOr};
use ytcaption_domain::captions::{CueStyle, Format, Segment, Transcript};
use ytcaption_projections::{AsOf, JobView};

use super::accept;
use super::cue_style::{self, CueStyleParameters};
use crate::ApiState;
use crate::conditional::{REVALIDATE, is_known};
use crate::parameters::{JobPath, Query};
use crate::principal::Authenticated;
use crate::problem::{ApiError, Problem};

/// Longest file name without its extension, in characters.
const MAX_STEM_CHARS: usize = 80;

/// The captions of a completed job
///
/// In the format of the query, else of the header `Accept`, else as JSON.
#[utoipa::path(
    get,
    operation_id = "getTranscriptionResult",
    path = "/api/v1/transcriptions/{id}/result",
    tag = "transcriptions",
    params(
        ("id" = uuid::Uuid, Path, description = "The job"),
        ("format" = Option<Format>, Query, example = "srt",
         description = "The caption format; overrides the header `Accept`"),
        CueStyleParameters,
        ("at" = Option<String>, Query, example = "2026-01-31T14:05:00Z",
         description = "The captions as they were: right after the job's event of this number, or at this time \
                        (RFC 3339)"),
        ("Accept" = Option<String>, Header, example = "text/vtt", description = "Media types of captions"),
        ("If-None-Match" = Option<String>, Header, description = "`ETag` of the captions that the client has"),
    ),
    responses(
        (status = 200, description = "The captions", headers(
            ("Content-Disposition" = String, description = "A file name from the title of the media"),
            ("ETag" = String, description = "Names these captions in this format"),
        )),
        (status = 304, description = "The client has these captions"),
        (status = 400, description = "The id or the format cannot be used, or the job has no such past", body = Problem,
         content_type = "application/problem+json"),
        (status = 404, description = "There is no such job", body = Problem, content_type = "application/problem+json"),
        (status = 406, description = "`Accept` allows none of the formats", body = Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "The job has not ended, failed or was cancelled, or was not completed at that \
                                      moment: `job_status` says which",
         body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database does not answer", body = Problem,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn captions(
    State(state): State<ApiState>,
    Authenticated(principal): Authenticated,
    JobPath(id): JobPath,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let mut query = Query::new(query.as_deref());
    let requested = query.take("format", str::parse::<Format>);
    let style = CueStyleParameters::from_query(&mut query).style();
    let at = query.take("at", str::parse::<AsOf>);
    query.finish()?;
    let format = requested.or_else(|| accept::preferred(&headers)).ok_or(ApiError::NotAcceptable)?;

    let job = state.queries.completed(&principal, id, at).await?;
    let erased = if job.view.erased { ".erased" } else { "" };
    let tag = format!("\"{}.{format}{}{erased}\"", job.view.version, cue_style::tag(&style));
    let headers_of_captions = [
        (ETAG, tag.clone()),
        (CACHE_CONTROL, REVALIDATE.to_owned()),
        (VARY, "accept".to_owned()),
        (CONTENT_TYPE, format.content_type().to_owned()),
        (CONTENT_DISPOSITION, disposition(&job.view, format)),
    ];
    if is_known(&headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, headers_of_captions).into_response());
    }
    Ok((headers_of_captions, state.queries.captions(job, format, &style).await?).into_response())
}

/// Describes the captions in every format that there is: the media types of the answer, with examples, and those that
/// `Accept` may name.
pub(crate) fn describe_formats(description: &mut OpenApi) {
    let operation = description.paths.paths.get_mut("/api/v1/transcriptions/{id}/result").and_then(|p| p.get.as_mut());
    let Some(operation) = operation else { return };
    if let Some(RefOr::T(response)) = operation.responses.responses.get_mut("200") {
        for format in Format::ALL {
            // Of two formats with one media type the first is described.
            response.content.entry(format.media_type().to_owned()).or_insert_with(|| RefOr::T(content(*format)));
        }
    }
    for parameter in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(accept) = parameter
            && accept.name == "Accept"
        {
            accept.description = Some(format!("Media types of captions: {}", Format::media_types()));
        }
    }
}

/// An example of a format, and its schema where it is JSON.
fn content(format: Format) -> Content {
    if format == Format::Json {
        return Content::new(Some(RefOr::Ref(Ref::from_schema_name("Transcript"))));
    }
    let example = Transcript {
        language: "en".to_owned(),
        duration_ms: 4_000,
        segments: vec![Segment {
            start_ms: 1_250,
            end_ms: 3_900,
            text: "Captions begin with a voice.".to_owned(),
            avg_logprob: -0.25,
            no_speech_prob: 0.0,
            compression_ratio: 1.0,
            temperature: 0.0,
            words: vec![],
        }],
    };
    let text = ObjectBuilder::new().schema_type(Type::String);
    let written = format.write(&example, &CueStyle::default()).ok().map(Value::String);
    ContentBuilder::new().schema(Some(text)).example(written).build()
}

/// The header that names the file (RFC 6266): in ASCII for old clients, and in full by RFC 8187.
fn disposition(view: &JobView, format: Format) -> String {
    let (stem, extension) = (file_stem(view), format.extension());
    let ascii: String = stem.chars().map(|c| if c.is_ascii() && c != '%' { c } else { '_' }).collect();
    let full: String = stem.bytes().map(encoded).collect();
    format!("attachment; filename=\"{ascii}.{extension}\"; filename*=UTF-8''{full}.{extension}")
}

/// The title, else the name of the uploaded file, else the job's id; fit for every file system.
fn file_stem(view: &JobView) -> String {
    let id = view.job_id.to_string();
    let name = match (&view.title, view.source_kind.as_str()) {
        (Some(title), _) => title,
        (None, "upload") => view.source_name.rsplit_once('.').map_or(view.source_name.as_str(), |(stem, _)| stem),
        (None, _) => &id,
    };
    let fit = |c: char| if c.is_control() || "/\\:*?\"<>|".contains(c) { '_' } else { c };
    name.chars().map(fit).take(MAX_STEM_CHARS).collect()
}

/// A byte as RFC 8187 writes it.
fn encoded(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}
