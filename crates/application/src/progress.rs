//! The progress of a job, folded from its events in the order of its text.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use ytcaption_domain::captions::Segment;
use ytcaption_domain::job::{Failure, JobEvent, JobResult, JobStatus, Warning};
use ytcaption_domain::step;

const WHOLE_PERCENT: u32 = 100;

/// Something that happened to a job, for a client that follows it.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress {
    /// The job has a new status.
    StatusChanged {
        /// The status.
        status: JobStatus,
        /// Title of the media, once known.
        title: Option<String>,
        /// Length of the media in milliseconds, once known.
        duration_ms: Option<u64>,
    },
    /// A step has come some way.
    StepProgressed {
        /// Name of the step, see [`step`].
        step: String,
        /// How much of it is done, 0 to 100.
        percent: u32,
    },
    /// Something is wrong with the media although the job goes on.
    WarningRaised {
        /// What it is and what to do.
        warning: Warning,
    },
    /// The text of the next chunk. Chunks come in the order of the media, whatever order they were transcribed in.
    CaptionsAdded {
        /// Index of the chunk, from 0.
        chunk: u32,
        /// Code of its language; `und` if it has no speech.
        language: String,
        /// Its segments in the order of time.
        segments: Vec<Segment>,
    },
    /// An attempt at a step failed; the step is retried.
    AttemptFailed {
        /// Name of the step, see [`step`].
        step: String,
        /// Why.
        failure: Failure,
        /// When it is retried, in milliseconds after the failure.
        retry_in_ms: u64,
    },
    /// The job is completed; every chunk's text has come. The last message.
    Completed {
        /// Code of the main language; `und` if there is no speech.
        language: String,
        /// Length of the media in milliseconds.
        duration_ms: u64,
        /// How many segments there are.
        segments: u32,
    },
    /// The job failed. The last message.
    Failed {
        /// Name of the step that failed, see [`step`].
        step: String,
        /// Why.
        failure: Failure,
    },
    /// The job was cancelled. The last message.
    Cancelled {
        /// Why, in the client's own words.
        reason: Option<String>,
    },
}

impl Progress {
    /// Whether nothing can follow.
    pub const fn is_last(&self) -> bool {
        matches!(self, Self::Completed { .. } | Self::Failed { .. } | Self::Cancelled { .. })
    }
}

/// A message with the position after it.
#[derive(Debug, Clone, PartialEq)]
pub struct ProgressMessage {
    /// A client that resumes here receives everything that follows, and nothing twice.
    pub position: ProgressPosition,
    /// The message.
    pub progress: Progress,
}

/// A position in the progress of a job, written `<version>.<chunks>`. Messages follow two orders, that of the job's
/// events and that of its text, so a position has a coordinate in each. The default is before the first message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProgressPosition {
    /// Version of the job after the last event that was reported.
    pub version: u64,
    /// Chunks whose text was sent, counted from the start of the media without a gap.
    pub chunks: u32,
}

impl fmt::Display for ProgressPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.version, self.chunks)
    }
}

/// A text that is not a valid position.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a valid id of this stream; send back the `id` of the last event received, or none to begin")]
pub struct InvalidPosition(pub String);

impl FromStr for ProgressPosition {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Digits only: a sign would be parsed as part of a number too.
        let number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.to_owned());
        text.split_once('.')
            .and_then(|(version, chunks)| {
                Some(Self { version: number(version)?.parse().ok()?, chunks: number(chunks)?.parse().ok()? })
            })
            .ok_or_else(|| InvalidPosition(text.chars().take(64).collect()))
    }
}

/// Folds the events of a job into messages. Pure: the same events give the same messages at the same positions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ProgressFold {
    position: ProgressPosition,
    /// Chunks that are planned.
    planned: u32,
    /// Chunks that are transcribed.
    done: u32,
    /// Transcribed chunks whose text waits for that of an earlier one, each with the sequence of its event. Not the
    /// text: a lot of it may wait for a chunk that is retried again and again.
    waiting: BTreeMap<u32, u64>,
}

impl ProgressFold {
    /// The position after every message so far.
    pub(crate) fn position(&self) -> ProgressPosition {
        self.position
    }

    /// Folds the events of one record; the messages to send for it, each with its position. The text that may
    /// be sent after them is found with [`Self::next_text`].
    pub(crate) fn fold(&mut self, sequence: u64, events: &[JobEvent]) -> Vec<ProgressMessage> {
        let mut messages = vec![];
        for (left, event) in (0..events.len()).rev().zip(events) {
            let progress = self.observe(sequence, event);
            if left == 0 {
                self.position.version = sequence;
            }
            messages.extend(progress.map(|progress| ProgressMessage { position: self.position, progress }));
        }
        messages
    }

    fn observe(&mut self, sequence: u64, event: &JobEvent) -> Option<Progress> {
        match event {
            JobEvent::JobCreated { .. } => Some(status(JobStatus::Pending)),
            JobEvent::DownloadStarted { .. } => Some(status(JobStatus::Downloading)),
            JobEvent::DownloadProgressed { percent, .. } => {
                Some(Progress::StepProgressed { step: step::DOWNLOAD.name.to_owned(), percent: u32::from(*percent) })
            }
            JobEvent::DownloadAttemptFailed { failure, retry_in_ms, .. } => {
                attempt_failed(step::DOWNLOAD.name, failure, *retry_in_ms)
            }
            JobEvent::WarningRaised { warning, .. } => Some(Progress::WarningRaised { warning: warning.clone() }),
            JobEvent::ChunksPlanned { chunks } => {
                self.planned = u32::try_from(chunks.len()).unwrap_or(u32::MAX);
                None
            }
            JobEvent::AudioDownloaded { audio, title, .. } => {
                let (title, duration_ms) = (title.clone(), Some(audio.duration_ms));
                Some(Progress::StatusChanged { status: JobStatus::Transcribing, title, duration_ms })
            }
            JobEvent::ChunkAttemptFailed { failure, retry_in_ms, .. } => {
                attempt_failed(step::TRANSCRIBE.name, failure, *retry_in_ms)
            }
            JobEvent::ChunkTranscribed { chunk, .. } => {
                self.done += 1;
                self.waiting.insert(*chunk, sequence);
                let percent = (self.done * WHOLE_PERCENT).checked_div(self.planned).unwrap_or_default();
                Some(Progress::StepProgressed { step: step::TRANSCRIBE.name.to_owned(), percent })
            }
            JobEvent::JobCompleted { result: JobResult::Transcription { language, duration_ms, segments } } => {
                let (language, duration_ms, segments) = (language.clone(), *duration_ms, *segments);
                Some(Progress::Completed { language, duration_ms, segments })
            }
            JobEvent::JobFailed { step, failure } => {
                Some(Progress::Failed { step: step.clone(), failure: failure.clone() })
            }
            JobEvent::JobCancelled { reason } => Some(Progress::Cancelled { reason: reason.clone() }),
            // Steps within a status that clients see.
            JobEvent::ChunkScheduled { .. }
            | JobEvent::ChunkStarted { .. }
            | JobEvent::LanguageDetected { .. }
            | JobEvent::BeamSizeChosen { .. } => None,
        }
    }

    /// Goes on after `chunks` texts that were sent before; `false` if they were not there to be sent.
    pub(crate) fn skip_texts(&mut self, chunks: u32) -> bool {
        self.position.chunks = chunks;
        (0..chunks).all(|chunk| self.waiting.remove(&chunk).is_some())
    }

    /// The sequence of the event with the next text, if that has come.
    pub(crate) fn next_text(&self) -> Option<u64> {
        self.waiting.get(&self.position.chunks).copied()
    }

    /// The next text, out of the events of the record that [`Self::next_text`] names; `None` if it is not in
    /// them. It counts as sent.
    pub(crate) fn take_text(&mut self, events: Vec<JobEvent>) -> Option<ProgressMessage> {
        let next = self.position.chunks;
        self.waiting.remove(&next);
        self.position.chunks += 1;
        let position = self.position;
        events.into_iter().find_map(|event| {
            let JobEvent::ChunkTranscribed { chunk, language, segments, .. } = event else { return None };
            let progress = Progress::CaptionsAdded { chunk, language, segments };
            (chunk == next).then_some(ProgressMessage { position, progress })
        })
    }
}

fn status(status: JobStatus) -> Progress {
    Progress::StatusChanged { status, title: None, duration_ms: None }
}

/// The last failure of a step is reported by the event that ends the job.
fn attempt_failed(step: &str, failure: &Failure, retry_in_ms: Option<u64>) -> Option<Progress> {
    Some(Progress::AttemptFailed { step: step.to_owned(), failure: failure.clone(), retry_in_ms: retry_in_ms? })
}

#[cfg(test)]
mod tests {
    use super::ProgressPosition;

    #[test]
    fn a_position_is_parsed_as_it_was_written_and_nothing_else_is_one() {
        let position = ProgressPosition { version: 41, chunks: 3 };
        assert_eq!(position.to_string().parse::<ProgressPosition>().expect("its own text"), position);
        for other in ["", ".", "1", "1.", ".1", "+1.0", "1.-2", "1.2.3", "a.b", "1.99999999999", " 1.2", "1٫2"] {
            assert!(other.parse::<ProgressPosition>().is_err(), "{other:?}");
        }
    }
}
