//! The text of a job, put together from its chunks.

use std::collections::BTreeMap;

use ytcaption_domain::captions::{Segment, Transcript, UNDETERMINED};
use ytcaption_domain::job::{JobEvent, JobStatus};

use crate::JobView;

/// The text of a job's chunks, by their index.
pub(crate) type Chunks = BTreeMap<u32, Vec<Segment>>;

/// Keeps the text that events bring.
pub(crate) fn collect(chunks: &mut Chunks, events: Vec<JobEvent>) {
    for event in events {
        if let JobEvent::ChunkTranscribed { chunk, segments, .. } = event {
            chunks.insert(chunk, segments);
        }
    }
}

/// The whole text; `None` unless the job is completed and every chunk is there.
pub(crate) fn whole(view: JobView, chunks: Chunks) -> Option<Transcript> {
    let complete = chunks.len() >= usize::try_from(view.chunks).unwrap_or(0);
    (view.status == JobStatus::Completed && complete).then(|| Transcript {
        language: view.detected_language.unwrap_or_else(|| UNDETERMINED.to_owned()),
        duration_ms: view.duration_ms.and_then(|ms| u64::try_from(ms).ok()).unwrap_or(0),
        segments: chunks.into_values().flatten().collect(),
    })
}
