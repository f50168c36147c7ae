//! How an event changes a job. Never fails: what was decided has happened.

use super::{Chunk, ChunkResult, ChunkSpan, Job, JobEvent, JobStatus};
use crate::captions::{Segment, UNDETERMINED};

/// Applies one event.
pub fn evolve(job: &mut Job, event: &JobEvent) {
    match event {
        JobEvent::JobCreated { account, source, transcription, priority, .. } => {
            *job = Job {
                status: Some(JobStatus::Pending),
                account: account.clone(),
                source: Some(source.clone()),
                model: transcription.model.clone(),
                transcription: transcription.clone(),
                priority: *priority,
                ..Job::default()
            };
        }
        JobEvent::DownloadStarted { attempt, .. } => {
            job.status = Some(JobStatus::Downloading);
            job.download_attempt = *attempt;
            job.download_percent = 0;
            job.damage = None;
        }
        JobEvent::DownloadProgressed { percent, .. } => job.download_percent = *percent,
        JobEvent::WarningRaised { message, .. } => job.damage = Some(message.clone()),
        JobEvent::AudioDownloaded { audio, .. } => {
            job.status = Some(JobStatus::Transcribing);
            job.audio = Some(audio.clone());
        }
        JobEvent::ChunksPlanned { chunks } => {
            job.chunks = chunks.iter().map(|span| Chunk::new(*span, false)).collect();
        }
        JobEvent::ChunkScheduled { chunk, start_ms, end_ms } => match chunk_mut(job, *chunk) {
            Some(planned) => planned.scheduled = true,
            // Jobs from before there was `ChunksPlanned`: all chunks were scheduled at once.
            None => job.chunks.push(Chunk::new(ChunkSpan { start_ms: *start_ms, end_ms: *end_ms }, true)),
        },
        JobEvent::BeamSizeChosen { beam_size } => job.beam_size = Some(*beam_size),
        JobEvent::LanguageDetected { language } => job.heard_language = Some(language.clone()),
        JobEvent::ChunkStarted { chunk, attempt, model, .. } => {
            job.model = Some(model.clone());
            if let Some(chunk) = chunk_mut(job, *chunk) {
                chunk.attempt = *attempt;
            }
        }
        JobEvent::ChunkTranscribed { chunk, language, segments, .. } => {
            if language != UNDETERMINED {
                // Where the first speech comes late, the first chunk with any decides for those after it.
                job.heard_language.get_or_insert_with(|| language.clone());
            }
            if let Some(chunk) = chunk_mut(job, *chunk) {
                chunk.result = Some(result_of(language, segments));
            }
        }
        JobEvent::DownloadAttemptFailed { .. } | JobEvent::ChunkAttemptFailed { .. } => {}
        JobEvent::JobCompleted { .. } => job.status = Some(JobStatus::Completed),
        JobEvent::JobFailed { .. } => job.status = Some(JobStatus::Failed),
        JobEvent::JobCancelled { .. } => job.status = Some(JobStatus::Cancelled),
    }
}

fn chunk_mut(job: &mut Job, index: u32) -> Option<&mut Chunk> {
    job.chunks.get_mut(usize::try_from(index).ok()?)
}

/// What the job remembers of a chunk's text.
pub(super) fn result_of(language: &str, segments: &[Segment]) -> ChunkResult {
    ChunkResult {
        language: language.to_owned(),
        speech_ms: segments.iter().map(|s| s.end_ms - s.start_ms).sum(),
        segments: u32::try_from(segments.len()).unwrap_or(u32::MAX),
    }
}
