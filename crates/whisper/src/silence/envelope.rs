//! How loud each hundredth of a second is.

use crate::audio::SAMPLES_PER_MS;

/// Milliseconds of one frame.
pub(crate) const FRAME_MS: u64 = 10;

const FRAME: usize = (FRAME_MS * SAMPLES_PER_MS) as usize;

/// Level given to digital silence, in dB relative to full scale.
pub(crate) const SILENCE_DB: f32 = -100.0;

/// Pole of the high-pass filter: about 100 Hz, so that mains hum and rumble do not count as sound.
const HIGH_PASS_POLE: f32 = 0.961;

/// Measures levels of a stream of samples, whatever pieces it comes in.
#[derive(Debug, Default)]
pub(crate) struct Envelope {
    last_input: f32,
    last_output: f32,
    energy: f32,
    count: usize,
}

impl Envelope {
    /// Appends the level in dB of every frame that `samples` complete. A last incomplete frame of a
    /// recording is left out: it is shorter than any sound of speech.
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

/// The frame in `from..to` around which 50 ms are quietest; the earliest of equals.
pub(crate) fn quietest_frame(levels: &[f32], from: usize, to: usize) -> usize {
    const REACH: usize = 2;
    let around = |frame: usize| {
        let last = (frame + REACH).min(levels.len().saturating_sub(1));
        let window = &levels[frame.saturating_sub(REACH)..=last];
        window.iter().sum::<f32>() / window.len() as f32
    };
    let to = to.min(levels.len());
    (from..to).min_by(|a, b| around(*a).total_cmp(&around(*b))).unwrap_or(from)
}
