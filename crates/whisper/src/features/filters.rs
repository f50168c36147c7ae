//! The mel filter bank: triangles on Slaney's scale, each of equal area.

use ytcaption_media::SAMPLE_RATE;

use super::BINS;

/// Slaney's scale is linear up to this frequency (Hz) …
const LINEAR_UNTIL_HZ: f64 = 1000.0;
/// … at this many Hz a mel …
const HZ_PER_MEL: f64 = 200.0 / 3.0;
/// … and logarithmic above: 27 mels for a factor of 6.4.
const MELS_PER_FACTOR: f64 = 27.0;
const FACTOR: f64 = 6.4;

/// One triangle: its weights over the bins where it is not zero.
struct Filter {
    first_bin: usize,
    weights: Vec<f32>,
}

/// All triangles, in the order of frequency.
pub(super) struct MelFilters {
    filters: Vec<Filter>,
}

impl MelFilters {
    /// As `librosa.filters.mel(sr=16000, n_fft=400, norm="slaney", htk=False)`.
    pub(super) fn slaney(mels: usize) -> Self {
        let nyquist = f64::from(SAMPLE_RATE) / 2.0;
        let top = mel(nyquist);
        let corner = |i: usize| hertz(top * i as f64 / (mels + 1) as f64);
        let filters = (0..mels)
            .map(|i| {
                let (left, centre, right) = (corner(i), corner(i + 1), corner(i + 2));
                let area = 2.0 / (right - left);
                let weight = |bin: usize| {
                    let hz = nyquist * bin as f64 / (BINS - 1) as f64;
                    let rising = (hz - left) / (centre - left);
                    let falling = (right - hz) / (right - centre);
                    (rising.min(falling).max(0.0) * area) as f32
                };
                let first_bin = (0..BINS).find(|bin| weight(*bin) > 0.0).unwrap_or(0);
                let weights = (first_bin..BINS).map(weight).take_while(|w| *w > 0.0).collect();
                Filter { first_bin, weights }
            })
            .collect();
        Self { filters }
    }

    pub(super) fn len(&self) -> usize {
        self.filters.len()
    }

    /// The power inside triangle `mel`.
    pub(super) fn apply(&self, mel: usize, power: &[f32; BINS]) -> f32 {
        let Filter { first_bin, weights } = &self.filters[mel];
        weights.iter().zip(&power[*first_bin..]).map(|(weight, power)| weight * power).sum()
    }
}

fn mel(hz: f64) -> f64 {
    if hz < LINEAR_UNTIL_HZ {
        hz / HZ_PER_MEL
    } else {
        LINEAR_UNTIL_HZ / HZ_PER_MEL + (hz / LINEAR_UNTIL_HZ).ln() * MELS_PER_FACTOR / FACTOR.ln()
    }
}

fn hertz(mel: f64) -> f64 {
    let linear_until = LINEAR_UNTIL_HZ / HZ_PER_MEL;
    if mel < linear_until {
        mel * HZ_PER_MEL
    } else {
        LINEAR_UNTIL_HZ * ((mel - linear_until) * FACTOR.ln() / MELS_PER_FACTOR).exp()
    }
}
