//! The log-mel spectrogram Whisper was trained on, as the reference front end computes it.
//!
//! After `faster_whisper/feature_extractor.py` 1.2.1 (itself after `audio.py` of `OpenAI`): frames of 400
//! samples every 160, centred with reflect padding, periodic Hann window, power spectrum, Slaney mel
//! filters over 0–8 kHz, `log10(max(x, 1e-10))`, clamped to the window's maximum − 8, `(x + 4) / 4`.
//! Frames past the end of the sound are filled with 0.0 *after* that, as the reference does.

mod filters;

use std::sync::Arc;

use realfft::{RealFftPlanner, RealToComplex};

use filters::MelFilters;

/// Samples in one analysis frame (25 ms).
pub(crate) const FRAME: usize = 400;

/// Samples from one frame to the next (10 ms).
pub(crate) const HOP: usize = 160;

/// Frequency bins of one frame's spectrum.
const BINS: usize = FRAME / 2 + 1;

/// Below this power everything counts as silence.
const POWER_FLOOR: f32 = 1e-10;

/// Range kept below the loudest bin, in powers of ten.
const DYNAMIC_RANGE: f32 = 8.0;

/// A spectrogram laid out as the model reads it: a row of `frames` values for each mel bin.
#[derive(Debug, Clone)]
pub(crate) struct Spectrogram {
    pub(crate) frames: usize,
    /// Row by row.
    pub(crate) values: Vec<f32>,
}

impl Spectrogram {
    /// Copies the first `used` columns into `out`, whose rows have `frames`, and fills up with zeros.
    pub(crate) fn fit_into(&self, used: usize, out: &mut [f32], frames: usize) {
        let kept = used.min(self.frames).min(frames);
        for (row, target) in self.values.chunks_exact(self.frames).zip(out.chunks_exact_mut(frames)) {
            target[..kept].copy_from_slice(&row[..kept]);
            target[kept..].fill(0.0);
        }
    }
}

/// Computes spectrograms for one number of mel bins; cheap to share between threads.
pub(crate) struct FeatureExtractor {
    fft: Arc<dyn RealToComplex<f32>>,
    window: [f32; FRAME],
    filters: MelFilters,
}

impl FeatureExtractor {
    /// `mels` is 80 for every Whisper up to large-v2 and 128 from large-v3 on.
    pub(crate) fn new(mels: usize) -> Self {
        let mut window = [0.0; FRAME];
        for (n, value) in window.iter_mut().enumerate() {
            let phase = std::f64::consts::TAU * n as f64 / FRAME as f64;
            *value = (0.5 - 0.5 * phase.cos()) as f32;
        }
        Self { fft: RealFftPlanner::new().plan_fft_forward(FRAME), window, filters: MelFilters::slaney(mels) }
    }

    /// The spectrogram of `samples`: one frame for each started hop, and one more.
    ///
    /// One hop of zeros is appended first, as the reference does; it also makes the empty slice valid.
    pub(crate) fn log_mel(&self, samples: &[f32]) -> Spectrogram {
        let mels = self.filters.len();
        let frames = (samples.len() + HOP) / HOP;
        let mut values = vec![0.0; mels * frames];
        let mut input = self.fft.make_input_vec();
        let mut spectrum = self.fft.make_output_vec();
        let mut scratch = self.fft.make_scratch_vec();
        let mut power = [0.0_f32; BINS];
        let mut loudest = f32::MIN;
        for frame in 0..frames {
            self.load(samples, frame, &mut input);
            self.fft
                .process_with_scratch(&mut input, &mut spectrum, &mut scratch)
                .expect("the buffers were made by this very transform");
            for (power, bin) in power.iter_mut().zip(&spectrum) {
                *power = bin.norm_sqr();
            }
            for mel in 0..mels {
                let value = self.filters.apply(mel, &power).max(POWER_FLOOR).log10();
                loudest = loudest.max(value);
                values[mel * frames + frame] = value;
            }
        }
        for value in &mut values {
            *value = (value.max(loudest - DYNAMIC_RANGE) + 4.0) / 4.0;
        }
        Spectrogram { frames, values }
    }

    /// Fills `input` with one windowed frame, centred on its hop.
    fn load(&self, samples: &[f32], frame: usize, input: &mut [f32]) {
        let first = (frame * HOP).wrapping_sub(FRAME / 2);
        if let Some(inside) = samples.get(first..first.wrapping_add(FRAME)) {
            for ((value, sample), window) in input.iter_mut().zip(inside).zip(&self.window) {
                *value = sample * window;
            }
            return;
        }
        let padded = samples.len() + HOP;
        for (n, (value, window)) in input.iter_mut().zip(&self.window).enumerate() {
            let index = reflect(frame * HOP + n, padded);
            *value = samples.get(index).copied().unwrap_or(0.0) * window;
        }
    }
}

/// Index of the sample at `position` of a signal of `length`, reflected at both ends by
/// half a frame (the edge sample itself is not repeated).
fn reflect(position: usize, length: usize) -> usize {
    let period = 2 * (length - 1);
    // `position` counts from half a frame before the first sample; one period more keeps it positive.
    let shifted = position + period * FRAME.div_ceil(period) - FRAME / 2;
    let folded = shifted % period;
    folded.min(period - folded)
}

#[cfg(test)]
mod tests;
