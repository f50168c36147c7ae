//! How loud the audio is in each hundredth of a second: no model, a few nanoseconds a sample.

use crate::SAMPLES_PER_MS;

/// Milliseconds of one frame, which has one level.
pub const FRAME_MS: u64 = 10;

const FRAME: usize = (FRAME_MS * SAMPLES_PER_MS) as usize;

/// Level given to digital silence, in dB relative to full scale.
pub(crate) const SILENCE_DB: f32 = -100.0;

/// Pole of the high-pass filter: about 100 Hz, so that mains hum and rumble do not count as sound.
pub(crate) const HIGH_PASS_POLE: f32 = 0.961;

/// Measures the levels of a stream of samples, which may be pushed in pieces of any size.
#[derive(Debug, Default)]
pub(crate) struct LevelMeter {
    last_input: f32,
    last_output: f32,
    energy: f32,
    count: usize,
}

impl LevelMeter {
    /// Appends the level in dB of every frame that `samples` complete. A last incomplete frame of the media is left
    /// out: it is shorter than any sound of speech.
    pub(crate) fn push(&mut self, samples: &[f32], levels: &mut Vec<f32>) {
        for &sample in samples {
            let output = HIGH_PASS_POLE * (self.last_output + sample - self.last_input);
            self.last_input = sample;
            self.last_output = output;
            self.energy += output * output;
            self.count += 1;
            if self.count == FRAME {
                let power = self.energy / FRAME as f32;
                levels.push((10.0 * power.max(1e-12).log10()).max(SILENCE_DB));
                self.energy = 0.0;
                self.count = 0;
            }
        }
    }
}

/// The level in dB relative to full scale (0 for the loudest, −100 for digital silence) of each [`FRAME_MS`] of
/// `samples` (16 kHz mono).
pub fn levels(samples: &[f32]) -> Vec<f32> {
    let mut levels = Vec::with_capacity(samples.len() / FRAME + 1);
    LevelMeter::default().push(samples, &mut levels);
    levels
}

/// Index of the frame in `from..to` around which 50 ms of `levels` are quietest; the earliest of equals.
pub fn quietest_frame(levels: &[f32], from: usize, to: usize) -> usize {
    const REACH: usize = 2;
    let around = |frame: usize| {
        let last = (frame + REACH).min(levels.len().saturating_sub(1));
        let window = &levels[frame.saturating_sub(REACH)..=last];
        window.iter().sum::<f32>() / window.len() as f32
    };
    let to = to.min(levels.len());
    (from..to).min_by(|a, b| around(*a).total_cmp(&around(*b))).unwrap_or(from)
}
