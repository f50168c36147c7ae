//! One channel from many, without losing speech on the way: sides that cancel each other, or a speaker on a channel that
//! an ordinary downmix leaves out.

use crate::levels::HIGH_PASS_POLE;

/// Frames (one sample of each channel) that are mixed in one way: half a second.
const BLOCK: usize = 8_000;
/// Frames over which one way fades into the next: 10 ms.
const FADE: usize = 160;
/// A mix with less than this part of the power of the loudest channel has lost it (−9 dB).
const LOST: f32 = 0.125;

/// Mixes interleaved samples, half a second at a time.
#[derive(Debug)]
pub(super) struct Mixer {
    /// Weight of each channel in the ordinary mix.
    ordinary: Vec<f32>,
    /// Weights at the end of the last block.
    last: Vec<f32>,
    waiting: Vec<f32>,
    /// State of the high-pass filter of each channel, and of the mix at the end.
    filters: Vec<(f32, f32)>,
}

impl Mixer {
    /// `layout` is ffmpeg's name of the channels' places, if the file has one.
    pub(super) fn new(channels: usize, layout: Option<&str>) -> Self {
        let ordinary = weights(channels, layout);
        Self { last: ordinary.clone(), ordinary, waiting: Vec::new(), filters: vec![(0.0, 0.0); channels + 1] }
    }

    /// Takes interleaved samples, each within ±1; appends what is decided to `mono`.
    pub(super) fn push(&mut self, samples: &[f32], mono: &mut Vec<f32>) {
        let channels = self.ordinary.len();
        if channels == 1 {
            mono.extend_from_slice(samples);
            return;
        }
        self.waiting.extend_from_slice(samples);
        let whole = self.waiting.len() / (BLOCK * channels) * BLOCK * channels;
        let waiting = std::mem::take(&mut self.waiting);
        for block in waiting[..whole].chunks(BLOCK * channels) {
            self.mix(block, mono);
        }
        self.waiting = waiting[whole..].to_vec();
    }

    /// Mixes what is left.
    pub(super) fn flush(&mut self, mono: &mut Vec<f32>) {
        let waiting = std::mem::take(&mut self.waiting);
        if !waiting.is_empty() {
            self.mix(&waiting, mono);
        }
    }

    fn mix(&mut self, block: &[f32], mono: &mut Vec<f32>) {
        let channels = self.ordinary.len();
        let mut powers = vec![0.0; channels + 1];
        for frame in block.chunks_exact(channels) {
            let mixed = dot(frame, &self.ordinary);
            let values = frame.iter().copied().chain([mixed]);
            for ((value, filter), power) in values.zip(&mut self.filters).zip(&mut powers) {
                let output = HIGH_PASS_POLE * (filter.1 + value - filter.0);
                *filter = (value, output);
                *power += output * output;
            }
        }
        let mixed = powers.pop().unwrap_or_default();
        let loudest = (0..channels).max_by(|a, b| powers[*a].total_cmp(&powers[*b])).unwrap_or(0);
        let mut target = self.ordinary.clone();
        if mixed < powers[loudest] * LOST {
            target.fill(0.0);
            target[loudest] = 1.0;
        }
        let peak = block.chunks_exact(channels).map(|frame| dot(frame, &target).abs()).fold(1.0, f32::max);
        for weight in &mut target {
            *weight /= peak;
        }
        for (n, frame) in block.chunks_exact(channels).enumerate() {
            let sample = if n < FADE {
                let part = n as f32 / FADE as f32;
                dot(frame, &self.last) * (1.0 - part) + dot(frame, &target) * part
            } else {
                dot(frame, &target)
            };
            mono.push(sample.clamp(-1.0, 1.0));
        }
        self.last = target;
    }
}

fn dot(frame: &[f32], weights: &[f32]) -> f32 {
    frame.iter().zip(weights).map(|(sample, weight)| sample * weight).sum()
}

/// ITU-R BS.775 for the layouts of films; of others every channel counts alike, since each may be a speaker's own.
fn weights(channels: usize, layout: Option<&str>) -> Vec<f32> {
    let side = std::f32::consts::FRAC_1_SQRT_2;
    match (channels, layout.map(|layout| layout.split('(').next().unwrap_or(layout))) {
        (2, _) => vec![0.5, 0.5],
        (6, Some("5.1")) => vec![side, side, 1.0, 0.0, 0.5, 0.5],
        (8, Some("7.1")) => vec![side, side, 1.0, 0.0, 0.5, 0.5, 0.5, 0.5],
        _ => vec![1.0; channels],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One second of `channels` that are `gains` times the same tone.
    fn mixed(gains: &[f32], layout: Option<&str>) -> f32 {
        let frame = |n: usize| {
            let sample = (n as f32 * 0.2).sin() * 0.5;
            gains.iter().map(move |gain| gain * sample).collect::<Vec<_>>()
        };
        let samples: Vec<f32> = (0..16_000).flat_map(frame).collect();
        let (mut mixer, mut mono) = (Mixer::new(gains.len(), layout), Vec::new());
        for piece in samples.chunks(700 * gains.len()) {
            mixer.push(piece, &mut mono);
        }
        mixer.flush(&mut mono);
        assert_eq!(mono.len(), 16_000);
        mono[8_000..].iter().copied().fold(0.0, f32::max)
    }

    #[test]
    fn no_channel_is_lost() {
        assert!((mixed(&[1.0], None) - 0.5).abs() < 0.01);
        assert!((mixed(&[1.0, 1.0], None) - 0.5).abs() < 0.01, "equal sides");
        assert!(mixed(&[1.0, -1.0], None) > 0.45, "sides that cancel each other");
        assert!(mixed(&[1.0, -0.8], None) > 0.45, "sides that nearly cancel each other");
        assert!(mixed(&[0.0, 1.0], None) > 0.2, "a dead side");
        assert!(mixed(&[0.0, 0.0, 0.0, 1.0, 0.0, 0.0], Some("5.1(side)")) > 0.45, "the channel for low tones");
        assert!(mixed(&[0.0, 0.0, 0.0, 1.0, 0.0, 0.0], None) > 0.45, "one microphone of six");
        let mut microphones = [0.0; 24];
        microphones[17] = 1.0;
        assert!(mixed(&microphones, None) > 0.45, "one microphone of 24");
        assert!(mixed(&[1.0; 24], None) <= 1.0, "24 times the same is not clipped");
    }
}
