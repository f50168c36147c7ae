//! Speech to text with a CTranslate2 Whisper model: the engine, and everything around it that keeps text true to the
//! audio. The only crate that links CTranslate2.
//!
//! - [`Transcriber`]: samples to a [`ytcaption_domain::captions::Transcript`];
//! - [`transcribe_file`], [`transcribe_chunk`] and [`detect_language`]: files, which `ytcaption-media` decodes;
//! - [`ModelCache`]: the models in memory, each loaded once, shared, and unloaded when another needs its memory.
//!
//! Audio goes `media::vad` → `windows` → `features` → `decode`: find the speech, pack it into windows that end in pauses,
//! compute spectrograms, and let the model write with timestamps. CTranslate2 is used through its low-level interface
//! only, because the high-level one cuts blindly every 30 s and has none of the guards in `decode`.

#![warn(clippy::missing_errors_doc)]
// Counts of samples, frames and tokens stay far below where these conversions lose anything.
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "signal processing converts between counts and floats on every line"
)]

mod cache;
mod clips;
mod decode;
mod engine;
mod error;
mod features;
mod file;
mod language;
mod model;
mod options;
#[cfg(test)]
mod testing;
pub mod timing;
mod tokenizer;
mod transcriber;
mod verify;
mod windows;

pub use cache::{CacheError, CacheSettings, ModelCache};
pub use engine::footprint;
pub use error::{FileError, TranscribeError};
pub use file::{FileTranscript, transcribe_chunk, transcribe_file};
pub use language::detect_language;
pub use model::LoadError;
pub use options::TranscribeOptions;
pub use transcriber::{Progress, Transcriber};
pub use verify::{VerifyError, verify};
