//! Speech to text with a CTranslate2 Whisper model: everything around the model that makes it hear well.
//!
//! - [`audio`]: any media file to samples, by ffmpeg;
//! - [`plan_chunks`]: where to cut a long recording for many workers;
//! - [`Transcriber`]: samples to a [`ytcaption_domain::captions::Transcript`].
//!
//! Inside, sound goes `vad` → `windows` → `features` → `decode`: find the speech, pack it into
//! windows that end in pauses, compute spectrograms, and let the model write with timestamps.
//! CTranslate2 is used through its low-level interface only, because the high-level one cuts blindly
//! every 30 s and has none of the guards in `decode`.

// Counts of samples, frames and tokens stay far below where these conversions lose anything.
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "signal processing converts between counts and floats on every line"
)]

pub mod audio;
mod clips;
mod decode;
mod engine;
mod error;
mod features;
mod file;
mod language;
mod model;
mod options;
mod plan;
mod silence;
mod span;
#[cfg(test)]
mod testing;
pub mod timing;
mod tokenizer;
mod transcriber;
mod vad;
mod windows;

pub use error::TranscribeError;
pub use file::{FileError, FileTranscript, transcribe_chunk, transcribe_file};
pub use language::detect_language;
pub use model::{ComputeType, Device, Footprint, ModelError, ModelInfo, ModelSettings, model_name};
pub use options::{Task, TranscribeOptions};
pub use plan::{AudioPlan, PlanSettings, plan_chunks};
pub use span::Span;
pub use transcriber::{Progress, Transcriber};
pub use vad::VadOptions;
