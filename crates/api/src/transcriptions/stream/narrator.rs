//! From the events of a job to what a client is told, in the order of the text.

use std::collections::BTreeMap;

use sqlx::PgPool;
use ytcaption_domain::JobId;
use ytcaption_domain::job::{JobEvent, JobResult, JobStatus};
use ytcaption_domain::step;

use super::message::{
    Message, StreamCancelled, StreamCaptions, StreamCompleted, StreamFailure, StreamProgress, StreamStatus,
    StreamWarning,
};
use super::position::Position;
use crate::transcriptions::status_url;

const WHOLE_PERCENT: u32 = 100;

/// What a place in the stream needs to know of the events before it.
const SO_FAR: &str = "
    SELECT sequence, (payload->>'chunk')::bigint, jsonb_array_length(payload->'chunks')::bigint FROM events
     WHERE aggregate_type = 'job' AND aggregate_id = $1 AND sequence <= $2
       AND event_type IN ('ChunksPlanned', 'ChunkTranscribed')
     ORDER BY sequence";

/// Tells a job. A pure fold: the same events give the same messages, and each message names the place after it, so a
/// client that comes back to any place is told the rest and nothing else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Narrator {
    position: Position,
    /// Chunks the recording was planned into.
    planned: u32,
    /// Chunks that are transcribed.
    done: u32,
    /// Transcribed chunks whose text waits for that of an earlier one, each with the sequence of its event. Not the
    /// text: so much may wait behind a chunk that is tried again and again.
    waiting: BTreeMap<u32, u64>,
}

/// A place that the job's stream does not have.
#[derive(Debug, thiserror::Error)]
pub(super) enum ResumeError {
    /// More is said to have been told than there was.
    #[error("the stream of this job has no event with the id {0}; leave the header out to begin at the start")]
    NeverThere(Position),
    /// The database does not answer.
    #[error(transparent)]
    Unavailable(#[from] sqlx::Error),
}

impl Narrator {
    /// One that goes on after `position`.
    pub(super) async fn resume(pool: &PgPool, job: JobId, position: Position) -> Result<Self, ResumeError> {
        let mut narrator = Self { position, ..Self::default() };
        if position == Position::default() {
            return Ok(narrator);
        }
        let version = i64::try_from(position.version).map_err(|_| ResumeError::NeverThere(position))?;
        let so_far: Vec<(i64, Option<i64>, Option<i64>)> =
            sqlx::query_as(SO_FAR).bind(job.to_string()).bind(version).fetch_all(pool).await?;
        for (sequence, chunk, planned) in so_far {
            let number = |column: Option<i64>| column.and_then(|number| u32::try_from(number).ok());
            if let Some(planned) = number(planned) {
                narrator.planned = planned;
            }
            if let Some(chunk) = number(chunk) {
                narrator.done += 1;
                narrator.waiting.insert(chunk, u64::try_from(sequence).unwrap_or_default());
            }
        }
        let told = (0..position.chunks).try_for_each(|chunk| narrator.waiting.remove(&chunk).map(drop));
        told.map(|()| narrator).ok_or(ResumeError::NeverThere(position))
    }

    /// The place after everything that was told.
    pub(super) fn position(&self) -> Position {
        self.position
    }

    /// All that the event of this sequence stands for has been heard.
    pub(super) fn reach(&mut self, sequence: u64) {
        self.position.version = sequence;
    }

    /// Takes note of an event of that sequence; the message, if it has one of its own. The text that may be sent now is
    /// asked for with [`Self::next_text`].
    pub(super) fn hear(&mut self, sequence: u64, job: JobId, event: &JobEvent) -> Option<Message> {
        match event {
            JobEvent::JobCreated { .. } => Some(status(JobStatus::Pending)),
            JobEvent::DownloadStarted { .. } => Some(status(JobStatus::Downloading)),
            JobEvent::DownloadProgressed { percent, .. } => Some(Message::Progress(StreamProgress {
                step: step::DOWNLOAD.name.to_owned(),
                percent: u32::from(*percent),
            })),
            JobEvent::DownloadAttemptFailed { failure, retry_in_ms: retry @ Some(_), .. } => {
                Some(Message::AttemptFailed(StreamFailure::new(step::DOWNLOAD.name, failure.clone(), *retry)))
            }
            JobEvent::WarningRaised { warning, .. } => {
                Some(Message::Warning(StreamWarning { message: warning.message.clone() }))
            }
            JobEvent::ChunksPlanned { chunks } => {
                self.planned = u32::try_from(chunks.len()).unwrap_or(u32::MAX);
                None
            }
            JobEvent::AudioDownloaded { audio, title, .. } => {
                let (title, duration_ms) = (title.clone(), Some(audio.duration_ms));
                Some(Message::Status(StreamStatus { status: JobStatus::Transcribing.into(), title, duration_ms }))
            }
            JobEvent::ChunkAttemptFailed { failure, retry_in_ms: retry @ Some(_), .. } => {
                Some(Message::AttemptFailed(StreamFailure::new(step::TRANSCRIBE.name, failure.clone(), *retry)))
            }
            JobEvent::ChunkTranscribed { chunk, .. } => {
                self.done += 1;
                self.waiting.insert(*chunk, sequence);
                let percent = (self.done * WHOLE_PERCENT).checked_div(self.planned).unwrap_or_default();
                Some(Message::Progress(StreamProgress { step: step::TRANSCRIBE.name.to_owned(), percent }))
            }
            JobEvent::JobCompleted { result: JobResult::Transcription { language, duration_ms, segments } } => {
                Some(Message::Completed(StreamCompleted {
                    language: language.clone(),
                    duration_ms: *duration_ms,
                    segments: *segments,
                    result_url: format!("{}/result", status_url(job)),
                }))
            }
            JobEvent::JobFailed { step, failure } => {
                Some(Message::Failed(StreamFailure::new(step, failure.clone(), None)))
            }
            JobEvent::JobCancelled { reason } => Some(Message::Cancelled(StreamCancelled { reason: reason.clone() })),
            // The last failure of a step is told by what ends the job.
            _ => None,
        }
    }

    /// The sequence of the event with the next text, if that has come.
    pub(super) fn next_text(&self) -> Option<u64> {
        self.waiting.get(&self.position.chunks).copied()
    }

    /// The next text was read and is sent now.
    pub(super) fn text_told(&mut self) {
        self.waiting.remove(&self.position.chunks);
        self.position.chunks += 1;
    }
}

/// The text of a chunk, from the events among which it is.
pub(super) fn text_of(wanted: u32, events: Vec<JobEvent>) -> Option<Message> {
    events.into_iter().find_map(|event| match event {
        JobEvent::ChunkTranscribed { chunk, language, segments, .. } if chunk == wanted => {
            Some(Message::Captions(StreamCaptions { chunk, language, segments }))
        }
        _ => None,
    })
}

fn status(status: JobStatus) -> Message {
    Message::Status(StreamStatus { status: status.into(), title: None, duration_ms: None })
}
