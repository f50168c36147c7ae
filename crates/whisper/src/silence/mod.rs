//! How loud a recording is, and where it is quiet: no model, a few hundred nanoseconds a frame.
//!
//! For cutting, not for deciding who speaks (that is `vad`): the planner parts hours of sound in one pass
//! and only wants pauses. It errs on the side of hearing something, since Whisper hears a word cut in two
//! as another word.

mod detector;
mod envelope;

pub(crate) use detector::Detector;
pub(crate) use envelope::{Envelope, FRAME_MS, quietest_frame};

/// The level in dB of each [`FRAME_MS`] of `samples` (16 kHz mono).
pub(crate) fn levels(samples: &[f32]) -> Vec<f32> {
    let mut levels = Vec::with_capacity(samples.len() / 160 + 1);
    Envelope::default().push(samples, &mut levels);
    levels
}

#[cfg(test)]
mod tests;
