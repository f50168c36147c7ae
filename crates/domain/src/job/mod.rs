//! The Job aggregate: one recording on its way from a source to captions.
//!
//! ```text
//!            CreateTranscription        StartDownload           RecordAudio        last RecordChunk
//!  (nothing) ───────────────▶ pending ───────────▶ downloading ───────────▶ transcribing ──────▶ completed
//!                                │                     │                        │
//!                                └──── Cancel ─────────┴────────── Cancel ──────┴──▶ cancelled
//!                                                      └─ permanent failure ────┴──▶ failed
//! ```
//!
//! A step that is already done decides to nothing, so every message may arrive twice.

mod aggregate;
mod command;
mod decide;
mod error;
mod event;
mod evolve;
mod source;
mod state;
mod transcription;
mod upcast;

pub use command::JobCommand;
pub use decide::decide;
pub use error::JobRejection;
pub use event::JobEvent;
pub use evolve::evolve;
pub use source::{Audio, ChunkSpan, Failure, MediaSource, Priority, Stage, UnknownPriority};
pub use state::{Chunk, ChunkResult, Job, JobStatus, UnknownStatus};
pub use transcription::{Task, TranscriptionOptions, UnknownTask};
