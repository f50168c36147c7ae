//! How an event changes the state of a job. It cannot fail: the event has happened.

use super::{Chunk, ChunkResult, Job, JobEvent, JobOptions, JobStatus};
use crate::captions::{Segment, UNDETERMINED};

/// Applies one event.
pub fn evolve(job: &mut Job, event: &JobEvent) {
    match event {
        JobEvent::JobCreated { account, source, options, priority, .. } => {
            let JobOptions::Transcription(transcription) = options;
            *job = Job {
                account: Some(account.clone()),
                source: Some(source.clone()),
                model: transcription.model.clone(),
                transcription: transcription.clone(),
                priority: *priority,
                ..Job::default()
            };
        }
        JobEvent::DownloadStarted { attempt, .. } => {
            job.download_attempt = *attempt;
            job.download_percent = 0;
            job.warnings.clear();
        }
        JobEvent::DownloadProgressed { percent, .. } => job.download_percent = *percent,
        JobEvent::WarningRaised { warning, .. } => job.warnings.push(warning.clone()),
        JobEvent::AudioDownloaded { audio, .. } => job.audio = Some(audio.clone()),
        JobEvent::ChunksPlanned { chunks } => {
            job.chunks = chunks.iter().map(|span| Chunk::new(*span)).collect();
        }
        JobEvent::ChunkScheduled { chunk, .. } => {
            if let Some(chunk) = chunk_mut(job, *chunk) {
                chunk.scheduled = true;
            }
        }
        JobEvent::BeamSizeChosen { beam_size } => job.beam_size = Some(*beam_size),
        JobEvent::LanguageDetected { language } => job.detected_language = Some(language.clone()),
        JobEvent::ChunkStarted { chunk, attempt, model, .. } => {
            job.model = Some(model.clone());
            if let Some(chunk) = chunk_mut(job, *chunk) {
                chunk.attempt = *attempt;
            }
        }
        JobEvent::ChunkTranscribed { chunk, language, segments, .. } => {
            if language != UNDETERMINED {
                // The first chunk with speech fixes the language of those after it.
                job.detected_language.get_or_insert_with(|| language.clone());
            }
            if let Some(chunk) = chunk_mut(job, *chunk) {
                chunk.result = Some(result_of(language, segments));
            }
        }
        JobEvent::DownloadAttemptFailed { .. }
        | JobEvent::ChunkAttemptFailed { .. }
        | JobEvent::JobCompleted { .. }
        | JobEvent::JobFailed { .. }
        | JobEvent::JobCancelled { .. } => {}
    }
    if let Some(status) = event.status() {
        job.status = Some(status);
    }
}

impl JobEvent {
    /// The status that the job has from this event on; `None` if the event does not change it.
    pub const fn status(&self) -> Option<JobStatus> {
        match self {
            Self::JobCreated { .. } => Some(JobStatus::Pending),
            Self::DownloadStarted { .. } => Some(JobStatus::Downloading),
            Self::AudioDownloaded { .. } => Some(JobStatus::Transcribing),
            Self::JobCompleted { .. } => Some(JobStatus::Completed),
            Self::JobFailed { .. } => Some(JobStatus::Failed),
            Self::JobCancelled { .. } => Some(JobStatus::Cancelled),
            Self::DownloadProgressed { .. }
            | Self::DownloadAttemptFailed { .. }
            | Self::WarningRaised { .. }
            | Self::ChunksPlanned { .. }
            | Self::ChunkScheduled { .. }
            | Self::ChunkStarted { .. }
            | Self::LanguageDetected { .. }
            | Self::BeamSizeChosen { .. }
            | Self::ChunkAttemptFailed { .. }
            | Self::ChunkTranscribed { .. } => None,
        }
    }
}

fn chunk_mut(job: &mut Job, index: u32) -> Option<&mut Chunk> {
    job.chunks.get_mut(usize::try_from(index).ok()?)
}

/// What the job's state keeps of a chunk's text.
pub(super) fn result_of(language: &str, segments: &[Segment]) -> ChunkResult {
    ChunkResult {
        language: language.to_owned(),
        speech_ms: segments.iter().map(|s| s.end_ms - s.start_ms).sum(),
        segments: u32::try_from(segments.len()).unwrap_or(u32::MAX),
    }
}
