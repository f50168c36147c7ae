//! Which events follow from a command, given the state of the job.

use std::collections::HashMap;

use super::evolve::result_of;
use super::{
    Audio, Chunk, ChunkResult, Failure, Job, JobCommand, JobEvent, JobRejection, JobResult, JobStatus, SILENT_AUDIO,
    Warning,
};
use crate::Span;
use crate::captions::{Segment, UNDETERMINED};
use crate::step;

/// Number of chunks of one job that wait for a worker at a time. When one is started, the next joins the end of the
/// queue, so that long and short jobs take turns and any number of workers is busy (ADR 18).
const WAITING_CHUNKS: usize = 1;

/// Decides the events that follow from a command; none if the command is a no-op.
///
/// # Errors
/// The command is not possible in the job's state.
pub fn decide(job: &Job, command: JobCommand) -> Result<Vec<JobEvent>, JobRejection> {
    if let JobCommand::Create { account, source, options, priority, webhook_url, retry_of } = command {
        return match job.status {
            None => Ok(vec![JobEvent::JobCreated { account, source, options, priority, webhook_url, retry_of }]),
            Some(_) => Err(JobRejection::AlreadyExists),
        };
    }
    let status = job.status.ok_or(JobRejection::NotFound)?;
    match command {
        JobCommand::Create { .. } => Err(JobRejection::AlreadyExists),
        JobCommand::Cancel { reason } => cancel(status, reason),
        // A worker's message may come late or twice; for a job that has ended it is a no-op.
        _ if status.has_ended() => Ok(vec![]),
        JobCommand::StartDownload { worker } => Ok(start_download(job, status, worker)),
        JobCommand::ReportDownloadProgress { attempt, percent } => {
            Ok(report_progress(job, status, attempt, percent.min(100)))
        }
        JobCommand::RecordDownloadFailure { attempt, failure, retry_in_ms } => {
            Ok(record_download_failure(job, status, attempt, failure, retry_in_ms))
        }
        JobCommand::RaiseWarning { attempt, warning } => Ok(raise_warning(job, status, attempt, warning)),
        JobCommand::RecordAudio { attempt, audio, title, chunks } => {
            record_audio(job, status, attempt, audio, title, &chunks)
        }
        JobCommand::StartChunk { chunk, worker, model } => start_chunk(job, chunk, worker, model),
        JobCommand::RecordLanguage { language } => Ok(record_language(job, status, language)),
        JobCommand::ChooseBeamSize { beam_size } => Ok(choose_beam_size(job, status, beam_size)),
        JobCommand::RecordChunkFailure { chunk, attempt, failure, retry_in_ms } => {
            record_chunk_failure(job, chunk, attempt, failure, retry_in_ms)
        }
        JobCommand::RecordChunk { chunk, attempt, language, segments } => {
            record_chunk(job, chunk, attempt, language, segments)
        }
    }
}

fn cancel(status: JobStatus, reason: Option<String>) -> Result<Vec<JobEvent>, JobRejection> {
    match status {
        JobStatus::Cancelled => Ok(vec![]),
        ended if ended.has_ended() => Err(JobRejection::AlreadyEnded(ended)),
        _ => Ok(vec![JobEvent::JobCancelled { reason }]),
    }
}

/// Whether this download attempt is the latest and under way.
fn is_current_download(job: &Job, status: JobStatus, attempt: u32) -> bool {
    status == JobStatus::Downloading && attempt == job.download_attempt
}

fn start_download(job: &Job, status: JobStatus, worker: String) -> Vec<JobEvent> {
    match status {
        JobStatus::Pending | JobStatus::Downloading => {
            vec![JobEvent::DownloadStarted { attempt: job.download_attempt + 1, worker }]
        }
        _ => vec![],
    }
}

fn report_progress(job: &Job, status: JobStatus, attempt: u32, percent: u8) -> Vec<JobEvent> {
    if is_current_download(job, status, attempt) && percent > job.download_percent {
        vec![JobEvent::DownloadProgressed { attempt, percent }]
    } else {
        vec![]
    }
}

fn raise_warning(job: &Job, status: JobStatus, attempt: u32, warning: Warning) -> Vec<JobEvent> {
    if is_current_download(job, status, attempt) && !job.warnings.contains(&warning) {
        vec![JobEvent::WarningRaised { attempt, warning }]
    } else {
        vec![]
    }
}

fn record_download_failure(
    job: &Job,
    status: JobStatus,
    attempt: u32,
    failure: Failure,
    retry_in_ms: Option<u64>,
) -> Vec<JobEvent> {
    if !is_current_download(job, status, attempt) {
        return vec![];
    }
    let mut events = vec![JobEvent::DownloadAttemptFailed { attempt, failure: failure.clone(), retry_in_ms }];
    if retry_in_ms.is_none() {
        events.push(JobEvent::JobFailed { step: step::DOWNLOAD.name.to_owned(), failure });
    }
    events
}

fn record_audio(
    job: &Job,
    status: JobStatus,
    attempt: u32,
    audio: Audio,
    title: Option<String>,
    plan: &[Span],
) -> Result<Vec<JobEvent>, JobRejection> {
    if !is_current_download(job, status, attempt) {
        return Ok(vec![]);
    }
    let in_order = plan.iter().all(|span| span.start_ms < span.end_ms)
        && plan.windows(2).all(|pair| pair[0].end_ms == pair[1].start_ms);
    let chunks = u32::try_from(plan.len()).map_err(|_| JobRejection::InvalidPlan)?;
    if chunks == 0 || !in_order {
        return Err(JobRejection::InvalidPlan);
    }
    let planned = JobEvent::ChunksPlanned { chunks: plan.to_vec() };
    let first = (0..chunks).zip(plan).take(WAITING_CHUNKS).map(|(chunk, span)| scheduled(chunk, *span));
    Ok([JobEvent::AudioDownloaded { attempt, audio, title }, planned].into_iter().chain(first).collect())
}

fn scheduled(chunk: u32, span: Span) -> JobEvent {
    JobEvent::ChunkScheduled { chunk, start_ms: span.start_ms, end_ms: span.end_ms }
}

/// The chunks to schedule when a worker starts `chunk`, so that [`WAITING_CHUNKS`] wait again.
fn next_scheduled(job: &Job, chunk: u32) -> impl Iterator<Item = JobEvent> {
    let waits = |(index, state): &(u32, &Chunk)| state.scheduled && state.attempt == 0 && *index != chunk;
    let waiting = (0..).zip(&job.chunks).filter(waits).count();
    let next = (0..).zip(&job.chunks).filter(|(_, state)| !state.scheduled);
    next.take(WAITING_CHUNKS.saturating_sub(waiting)).map(|(index, state)| scheduled(index, state.span))
}

fn start_chunk(job: &Job, chunk: u32, worker: String, model: String) -> Result<Vec<JobEvent>, JobRejection> {
    let state = job.chunk(chunk).filter(|state| state.scheduled).ok_or(JobRejection::UnknownChunk(chunk))?;
    if state.result.is_some() {
        return Ok(vec![]);
    }
    if let Some(started_with) = job.model.as_ref().filter(|started_with| **started_with != model) {
        return Err(JobRejection::ModelChanged { started_with: started_with.clone(), offered: model });
    }
    let started = JobEvent::ChunkStarted { chunk, attempt: state.attempt + 1, worker, model };
    Ok(std::iter::once(started).chain(next_scheduled(job, chunk)).collect())
}

/// The first detection counts, so that all chunks are in one language.
fn record_language(job: &Job, status: JobStatus, language: String) -> Vec<JobEvent> {
    match (status, job.language()) {
        (JobStatus::Transcribing, None) => vec![JobEvent::LanguageDetected { language }],
        _ => vec![],
    }
}

/// The first worker fixes the beam size, so that all chunks of the job have the same.
fn choose_beam_size(job: &Job, status: JobStatus, beam_size: u32) -> Vec<JobEvent> {
    match (status, job.beam_size) {
        (JobStatus::Transcribing, None) => vec![JobEvent::BeamSizeChosen { beam_size }],
        _ => vec![],
    }
}

fn record_chunk_failure(
    job: &Job,
    chunk: u32,
    attempt: u32,
    failure: Failure,
    retry_in_ms: Option<u64>,
) -> Result<Vec<JobEvent>, JobRejection> {
    let state = job.chunk(chunk).ok_or(JobRejection::UnknownChunk(chunk))?;
    if state.result.is_some() || attempt != state.attempt {
        return Ok(vec![]);
    }
    let mut events = vec![JobEvent::ChunkAttemptFailed { chunk, attempt, failure: failure.clone(), retry_in_ms }];
    if retry_in_ms.is_none() {
        events.push(JobEvent::JobFailed { step: step::TRANSCRIBE.name.to_owned(), failure });
    }
    Ok(events)
}

fn record_chunk(
    job: &Job,
    chunk: u32,
    attempt: u32,
    language: String,
    segments: Vec<Segment>,
) -> Result<Vec<JobEvent>, JobRejection> {
    let state = job.chunk(chunk).ok_or(JobRejection::UnknownChunk(chunk))?;
    if state.result.is_some() || attempt != state.attempt {
        return Ok(vec![]);
    }
    if let Some(bad) = segments.iter().position(|s| s.end_ms < s.start_ms) {
        return Err(JobRejection::InvalidSegment(bad));
    }
    let result = result_of(&language, &segments);
    let mut results: Vec<&ChunkResult> = job.chunks.iter().filter_map(|c| c.result.as_ref()).collect();
    results.push(&result);
    let completed = (results.len() == job.chunks.len()).then(|| JobEvent::JobCompleted {
        result: JobResult::Transcription {
            language: main_language(&results),
            duration_ms: job.audio.as_ref().map_or(0, |audio| audio.duration_ms),
            segments: results.iter().map(|r| r.segments).sum(),
        },
    });
    let no_words = completed.is_some() && results.iter().all(|result| result.segments == 0);
    let explained = job.warnings.iter().any(|warning| warning.code == SILENT_AUDIO);
    let unexplained = (no_words && !explained)
        .then(|| JobEvent::WarningRaised { attempt: job.download_attempt, warning: no_words_found() });
    let mut events = vec![JobEvent::ChunkTranscribed { chunk, attempt, language, segments }];
    events.extend(unexplained);
    events.extend(completed);
    Ok(events)
}

/// Why there is a result without text although the audio is not silent.
fn no_words_found() -> Warning {
    Warning {
        code: "no_words".to_owned(),
        message: "No words were recognised in the audio, although it is not silent. If somebody speaks, submit it again with \
                  the language of the speech, or with another model."
            .to_owned(),
    }
}

/// The language of most of the speech; of equals the first in the alphabet, so that the order of chunks does not matter.
fn main_language(results: &[&ChunkResult]) -> String {
    let mut speech: HashMap<&str, u64> = HashMap::new();
    for result in results.iter().filter(|r| r.language != UNDETERMINED) {
        *speech.entry(&result.language).or_default() += result.speech_ms;
    }
    speech
        .into_iter()
        .max_by(|(a, a_ms), (b, b_ms)| a_ms.cmp(b_ms).then_with(|| b.cmp(a)))
        .map_or_else(|| UNDETERMINED.to_owned(), |(language, _)| language.to_owned())
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
