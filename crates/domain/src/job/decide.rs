//! What a command makes happen, given what has happened so far.

use std::collections::HashMap;

use super::evolve::result_of;
use super::{Audio, Chunk, ChunkResult, ChunkSpan, Failure, Job, JobCommand, JobEvent, JobRejection, JobStatus, Stage};
use crate::captions::{Segment, UNDETERMINED};

/// So many chunks of a job wait for a worker at a time; when one is begun, the next joins the end of the queue. So jobs
/// take turns, however long they are, and any number of workers is kept busy.
const WAITING_CHUNKS: usize = 1;

/// Decides the events that follow from a command; none if what it asks for is already so.
///
/// # Errors
/// The command makes no sense for the job as it stands.
pub fn decide(job: &Job, command: JobCommand) -> Result<Vec<JobEvent>, JobRejection> {
    if let JobCommand::CreateTranscription { account, source, transcription, priority, webhook_url } = command {
        return match job.status {
            None => Ok(vec![JobEvent::JobCreated { account, source, transcription, priority, webhook_url }]),
            Some(_) => Err(JobRejection::AlreadyExists),
        };
    }
    let status = job.status.ok_or(JobRejection::NotFound)?;
    match command {
        JobCommand::CreateTranscription { .. } => Err(JobRejection::AlreadyExists),
        JobCommand::Cancel { reason } => cancel(status, reason),
        // A worker's message may come late or twice; to a job that has ended it means nothing any more.
        _ if status.has_ended() => Ok(vec![]),
        JobCommand::StartDownload { worker } => Ok(start_download(job, status, worker)),
        JobCommand::ReportDownloadProgress { attempt, percent } => {
            Ok(report_progress(job, status, attempt, percent.min(100)))
        }
        JobCommand::RecordDownloadFailure { attempt, failure, retry_in_ms } => {
            Ok(record_download_failure(job, status, attempt, failure, retry_in_ms))
        }
        JobCommand::ReportDamage { attempt, message } => Ok(report_damage(job, status, attempt, message)),
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

/// Whether a command of this download attempt still counts.
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

fn report_damage(job: &Job, status: JobStatus, attempt: u32, message: String) -> Vec<JobEvent> {
    if is_current_download(job, status, attempt) && job.damage.as_ref() != Some(&message) {
        vec![JobEvent::WarningRaised { attempt, message }]
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
        events.push(JobEvent::JobFailed { stage: Stage::Download, failure });
    }
    events
}

fn record_audio(
    job: &Job,
    status: JobStatus,
    attempt: u32,
    audio: Audio,
    title: Option<String>,
    plan: &[ChunkSpan],
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
    Ok([JobEvent::AudioDownloaded { attempt, audio, title, chunks }, planned].into_iter().chain(first).collect())
}

fn scheduled(chunk: u32, span: ChunkSpan) -> JobEvent {
    JobEvent::ChunkScheduled { chunk, start_ms: span.start_ms, end_ms: span.end_ms }
}

/// The chunks whose turn comes when a worker begins `chunk` for the first time: so many that [`WAITING_CHUNKS`] wait.
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
    if let Some(begun) = job.model.as_ref().filter(|begun| **begun != model) {
        return Err(JobRejection::ModelChanged { begun: begun.clone(), offered: model });
    }
    let started = JobEvent::ChunkStarted { chunk, attempt: state.attempt + 1, worker, model };
    Ok(std::iter::once(started).chain(next_scheduled(job, chunk)).collect())
}

/// The first to hear it decides, so that all chunks are in one language.
fn record_language(job: &Job, status: JobStatus, language: String) -> Vec<JobEvent> {
    match (status, job.language()) {
        (JobStatus::Transcribing, None) => vec![JobEvent::LanguageDetected { language }],
        _ => vec![],
    }
}

/// The first to decode a chunk decides, so that a change of the workers' settings divides no job.
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
        events.push(JobEvent::JobFailed { stage: Stage::Transcribe, failure });
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
        language: main_language(&results),
        duration_ms: job.audio.as_ref().map_or(0, |audio| audio.duration_ms),
        segments: results.iter().map(|r| r.segments).sum(),
    });
    let mut events = vec![JobEvent::ChunkTranscribed { chunk, attempt, language, segments }];
    events.extend(completed);
    Ok(events)
}

/// The language most speech was heard in; of equals the first in the alphabet, so that order does not matter.
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
