//! Media files without any speech model: what every step does with audio before, or instead of, transcribing it.
//!
//! - [`probe`], [`decode`], [`PcmStream`] and [`convert_to_flac`]: any media file to 16 kHz mono samples, by ffmpeg and
//!   ffprobe as child processes;
//! - [`vad`]: where speech is, by the Silero network in plain Rust;
//! - [`levels`] and [`plan_chunks`]: how loud the audio is, and where a long file is cut into chunks for many workers.
//!
//! Samples are streamed over a pipe, so no temporary file is written and a caller holds only what it requested. Every
//! function kills its child process when its future is dropped.

#![warn(clippy::missing_errors_doc)]
// Counts of samples and frames stay far below where these conversions lose anything.
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "signal processing converts between counts and floats on every line"
)]

mod blocks;
mod ending;
mod error;
mod ffmpeg;
mod flac;
pub mod levels;
mod mix;
mod mp4;
mod pcm;
mod plan;
mod probe;
mod report;
mod silence;
mod tracks;
mod truncation;
pub mod vad;
mod wav;

pub use error::MediaError;
pub use flac::{ConvertSettings, ConvertedAudio, convert_to_flac};
pub use pcm::{Pcm, PcmStream, StreamEnd, decode};
pub use plan::{AudioPlan, ChunkReader, PlanSettings, plan_chunks};
pub use probe::{MediaInfo, probe};
pub use tracks::{AudioTrack, ChosenTrack, MediaInput, TrackChoice};

/// Samples a second of all decoded audio: what Whisper was trained on.
pub const SAMPLE_RATE: u32 = 16_000;

/// Samples in one millisecond at [`SAMPLE_RATE`].
pub const SAMPLES_PER_MS: u64 = SAMPLE_RATE as u64 / 1000;

/// Length of `samples` samples in milliseconds, rounded down.
pub const fn samples_to_ms(samples: u64) -> u64 {
    samples / SAMPLES_PER_MS
}

#[cfg(test)]
mod tests;
