//! The text of a job, assembled from its chunks.

use std::collections::BTreeMap;

use ytcaption_domain::captions::{Segment, Transcript, UNDETERMINED};
use ytcaption_domain::job::{JobEvent, JobStatus};

use crate::JobView;

/// The segments of a job's chunks, by the index of the chunk.
pub(crate) type Chunks = BTreeMap<u32, Vec<Segment>>;

/// The text that these events bring.
pub(crate) fn chunks(events: &[JobEvent]) -> impl Iterator<Item = (u32, Vec<Segment>)> {
    events.iter().filter_map(|event| match event {
        JobEvent::ChunkTranscribed { chunk, segments, .. } => Some((*chunk, segments.clone())),
        JobEvent::JobCreated { .. }
        | JobEvent::DownloadStarted { .. }
        | JobEvent::DownloadProgressed { .. }
        | JobEvent::DownloadAttemptFailed { .. }
        | JobEvent::WarningRaised { .. }
        | JobEvent::AudioDownloaded { .. }
        | JobEvent::ChunksPlanned { .. }
        | JobEvent::ChunkScheduled { .. }
        | JobEvent::ChunkStarted { .. }
        | JobEvent::LanguageDetected { .. }
        | JobEvent::BeamSizeChosen { .. }
        | JobEvent::ChunkAttemptFailed { .. }
        | JobEvent::JobCompleted { .. }
        | JobEvent::JobFailed { .. }
        | JobEvent::JobCancelled { .. } => None,
    })
}

/// The whole text; `None` unless the job is completed and every chunk is there.
pub(crate) fn assemble(view: JobView, chunks: Chunks) -> Option<Transcript> {
    let is_whole = chunks.len() >= view.chunks as usize;
    (view.status == JobStatus::Completed && is_whole).then(|| Transcript {
        language: view.detected_language.unwrap_or_else(|| UNDETERMINED.to_owned()),
        duration_ms: view.duration_ms.unwrap_or(0),
        segments: chunks.into_values().flatten().collect(),
    })
}
