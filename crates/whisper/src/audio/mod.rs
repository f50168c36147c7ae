//! Sound in: any media file becomes 16 kHz mono samples, by ffmpeg as a child process.
//!
//! Samples are streamed over a pipe, so no temporary file is written and a caller holds only what
//! it asked for. Every function kills its child when its future is dropped.

mod error;
mod pcm;
mod probe;
mod store;
mod tool;

pub use error::AudioError;
pub use pcm::{Ending, Pcm, PcmStream, decode};
pub use probe::{MediaInfo, probe};
pub use store::{StoredAudio, store};

/// Samples a second in everything this crate hears: what Whisper was trained on.
pub const SAMPLE_RATE: u32 = 16_000;

/// Samples in one millisecond at [`SAMPLE_RATE`].
pub const SAMPLES_PER_MS: u64 = SAMPLE_RATE as u64 / 1000;

/// Length of `samples` samples in milliseconds, rounded down.
pub const fn samples_to_ms(samples: u64) -> u64 {
    samples / SAMPLES_PER_MS
}

/// Makes samples safe to compute with: NaN and infinities become silence, clipped ones stay inside ±1.
pub(crate) fn tame(samples: &mut [f32]) {
    for sample in samples {
        *sample = if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { 0.0 };
    }
}

#[cfg(test)]
mod tests;
