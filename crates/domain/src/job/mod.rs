//! The Job aggregate: one piece of media from its source to its result.
//!
//! ```text
//!          Create              StartDownload           RecordAudio        last RecordChunk
//!  (none) ────────▶ pending ───────────▶ downloading ───────────▶ transcribing ──────▶ completed
//!                      │                     │                        │
//!                      └────── Cancel ───────┴──────── Cancel ────────┴──▶ cancelled
//!                                            └─ permanent failure ────┴──▶ failed
//! ```
//!
//! A command for a step that is already done is a no-op, so every message may arrive twice.

mod aggregate;
mod command;
mod decide;
mod error;
mod event;
mod evolve;
mod failure_code;
#[cfg(test)]
mod name_tests;
mod options;
mod state;
mod values;

pub use command::JobCommand;
pub use decide::decide;
pub use error::JobRejection;
pub use event::JobEvent;
pub use evolve::evolve;
pub use failure_code::{FAILURE_CODES, FailureCode, failure_codes_table};
pub use options::{JobOptions, Task, TranscriptionOptions, UnknownTask};
pub use state::{Chunk, ChunkResult, Job, JobStatus, UnknownStatus};
pub use values::{Audio, Failure, JobResult, MediaSource, Priority, SILENT_AUDIO, UnknownPriority, Warning};
