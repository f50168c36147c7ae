//! `GET /api/v1/transcriptions/{id}/result`

use axum::extract::{RawQuery, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, ETAG, VARY};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use utoipa::ToSchema;
use ytcaption_domain::captions::Format;
use ytcaption_domain::job::JobStatus;
use ytcaption_projections::{AsOf, JobView};

use super::cue_style::CueStyleParameters;
use super::parameters::{JobPath, Query};
use super::{accept, cue_style, past};
use crate::ApiState;
use crate::caller::Caller;
use crate::conditional::{REVALIDATE, is_known};
use crate::problem::{ApiError, Fault, JobError, Problem};

/// Longest file name without its extension, in characters.
const MAX_STEM_CHARS: usize = 80;

/// A transcript as `format=json` writes it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the domain writes; a test compares them")]
pub(crate) struct TranscriptDocument {
    /// Code of the spoken language; `und` if nobody speaks.
    #[schema(example = "en")]
    language: String,
    /// Length of the recording in milliseconds.
    #[schema(example = 93_500)]
    duration_ms: u64,
    /// The segments in the order of time.
    segments: Vec<SegmentDocument>,
}

/// One stretch of speech.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the domain writes; a test compares them")]
pub(super) struct SegmentDocument {
    /// When the speech begins, in milliseconds from the start of the recording.
    #[schema(example = 1_250)]
    start_ms: u64,
    /// When it ends.
    #[schema(example = 3_900)]
    end_ms: u64,
    #[schema(example = "Captions begin with a voice.")]
    text: String,
    /// Mean log-probability of the tokens: nearer to zero is surer.
    #[schema(example = -0.21)]
    avg_logprob: f32,
    /// The model's own probability that nobody speaks here, 0 to 1.
    #[schema(example = 0.02)]
    no_speech_prob: f32,
    /// Length of the text over its compressed length; high means repetition.
    #[schema(example = 1.3)]
    compression_ratio: f32,
    /// Sampling temperature that produced the text.
    #[schema(example = 0.0)]
    temperature: f32,
    /// Word times, where there are any.
    words: Option<Vec<WordDocument>>,
}

/// One word.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the domain writes; a test compares them")]
struct WordDocument {
    #[schema(example = 1_250)]
    start_ms: u64,
    #[schema(example = 1_610)]
    end_ms: u64,
    #[schema(example = " Captions")]
    text: String,
    /// Mean probability of the word's tokens, 0 to 1.
    #[schema(example = 0.97)]
    probability: f32,
}

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
        ("format" = Option<String>, Query, example = "srt", pattern = "^(txt|srt|vtt|json|tsv|verbose_json|ass|lrc)$",
         description = "`txt`, `srt`, `vtt`, `json`, `tsv`, `verbose_json`, `ass` or `lrc`; goes before the header \
                        `Accept`"),
        CueStyleParameters,
        ("at" = Option<String>, Query, example = "2026-01-31T14:05:00Z",
         description = "The captions as they were: right after the job's event of this number, or at this time \
                        (RFC 3339)"),
        ("Accept" = Option<String>, Header, example = "text/vtt",
         description = "`text/plain`, `application/x-subrip`, `text/vtt`, `application/json`, \
                        `text/tab-separated-values`, `text/x-ssa` or `application/x-lrc`"),
        ("If-None-Match" = Option<String>, Header, description = "`ETag` of the captions that the client has"),
    ),
    responses(
        (status = 200, description = "The captions", content(
            (TranscriptDocument = "application/json"),
            (String = "text/plain", example = "Captions begin with a voice.\n"),
            (String = "application/x-subrip",
             example = "1\n00:00:01,250 --> 00:00:03,900\nCaptions begin with a voice.\n"),
            (String = "text/vtt",
             example = "WEBVTT\n\n00:00:01.250 --> 00:00:03.900\nCaptions begin with a voice.\n"),
            (String = "text/tab-separated-values",
             example = "start\tend\ttext\n1250\t3900\tCaptions begin with a voice.\n"),
            (String = "text/x-ssa"),
            (String = "application/x-lrc", example = "[00:01.25]Captions begin with a voice.\n[00:03.90]\n"),
         ), headers(
            ("Content-Disposition" = String, description = "A file name from the title of the recording"),
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
pub(crate) async fn result(
    State(state): State<ApiState>,
    caller: Caller,
    JobPath(id): JobPath,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let mut query = Query::new(query.as_deref());
    let asked = query.take("format", str::parse::<Format>);
    let style = cue_style::read(&mut query);
    let at = query.take("at", str::parse::<AsOf>);
    query.finish()?;
    let format = asked.or_else(|| accept::preferred(&headers)).ok_or(ApiError::NotAcceptable)?;

    let (view, then) = match at {
        None => (super::find(&state, &caller, id).await?, None),
        Some(moment) => past::text_as_it_was(&state, &caller, id, moment).await?,
    };
    require_completed(&view, at)?;
    let tag = format!("\"{}.{format}{}\"", view.version, cue_style::tag(&style));
    let said = [
        (ETAG, tag.clone()),
        (CACHE_CONTROL, REVALIDATE.to_owned()),
        (VARY, "accept".to_owned()),
        (CONTENT_TYPE, format.content_type().to_owned()),
        (CONTENT_DISPOSITION, disposition(&view, format)),
    ];
    if is_known(&headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, said).into_response());
    }
    let transcript = match at {
        None => state.queries.transcript(&caller.account, id).await?,
        Some(_) => then,
    };
    // Found completed a moment ago: only a rebuild that knows less can have taken it away.
    let transcript = transcript.ok_or(ApiError::Busy)?;
    let written = format
        .write(&transcript, &style)
        .map_err(|error| ApiError::InvalidParameter(vec![Fault::of_parameter("highlight_words", error.to_string())]))?;
    Ok((said, written).into_response())
}

fn require_completed(view: &JobView, at: Option<AsOf>) -> Result<(), ApiError> {
    let job = view.job_id;
    match view.status {
        JobStatus::Completed => Ok(()),
        JobStatus::Cancelled => Err(ApiError::JobCancelled { job }),
        JobStatus::Failed => Err(match JobError::of(view) {
            Some(error) => ApiError::JobFailed { job, error },
            None => ApiError::Internal(format!("job {job} failed without a reason")),
        }),
        status @ (JobStatus::Pending | JobStatus::Downloading | JobStatus::Transcribing) => Err(match at {
            None => ApiError::JobNotCompleted { job, status },
            Some(moment) => ApiError::JobWasNotCompleted { job, status, moment },
        }),
    }
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
