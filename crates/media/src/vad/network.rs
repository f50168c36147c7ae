//! Silero VAD 6: how likely each 32 ms of sound are speech.
//!
//! After the graph of `silero_vad_v6.onnx` as faster-whisper 1.2.1 ships it: magnitudes of a short-time
//! Fourier transform, four convolutions with rectifiers, an LSTM, and a sigmoid over its output. The same
//! numbers come out as from onnxruntime; `fixtures/make_silero.py` says how they were taken.

use std::sync::{Arc, LazyLock};

use realfft::{RealFftPlanner, RealToComplex};

use super::dense::{Dense, Weights};

/// Samples that get one probability: 32 ms.
pub(super) const CHUNK: usize = 512;

/// Samples before a chunk that the network sees with it.
const CONTEXT: usize = 64;

/// The Fourier transform's frames.
const FRAME: usize = 256;
const HOP: usize = 128;
const BINS: usize = FRAME / 2 + 1;

/// Frames of one chunk.
const FRAMES: usize = 4;

/// Frames one output of a convolution is made of.
const TAPS: usize = 3;

/// Outputs of the four convolutions; the last is also the size of the LSTM.
const CHANNELS: [usize; 4] = [128, 64, 64, 128];
const HIDDEN: usize = CHANNELS[3];

/// Chunks that go through the convolutions together: about a second.
const TOGETHER: usize = 32;

/// The network's parameters, without the state of its LSTM.
struct Network {
    fft: Arc<dyn RealToComplex<f32>>,
    window: [f32; FRAME],
    convolutions: [Dense; 4],
    /// The gates' inputs from the convolutions, and from the output before.
    inner: Dense,
    recurrent: Dense,
    output: Vec<f32>,
    output_bias: f32,
    /// The gates' inputs for a chunk of digital silence.
    silence: Vec<f32>,
}

/// Loaded once: a million numbers.
static NETWORK: LazyLock<Network> = LazyLock::new(Network::load);

impl Network {
    fn load() -> Self {
        let mut weights = Weights::new();
        let mut window = [0.0; FRAME];
        for (n, value) in window.iter_mut().enumerate() {
            *value = (0.5 - 0.5 * (std::f64::consts::TAU * n as f64 / FRAME as f64).cos()) as f32;
        }
        // What of a layer's taps would always meet padding is not there: one of the third's, two of the fourth's.
        let mut network = Self {
            fft: RealFftPlanner::new().plan_fft_forward(FRAME),
            window,
            convolutions: [
                Dense::from_weights(&mut weights, TAPS * BINS, CHANNELS[0]),
                Dense::from_weights(&mut weights, TAPS * CHANNELS[0], CHANNELS[1]),
                Dense::from_weights(&mut weights, 2 * CHANNELS[1], CHANNELS[2]),
                Dense::from_weights(&mut weights, CHANNELS[2], CHANNELS[3]),
            ],
            inner: Dense::from_weights(&mut weights, HIDDEN, 4 * HIDDEN),
            recurrent: Dense::without_bias(&mut weights, HIDDEN, 4 * HIDDEN),
            output: weights.take(HIDDEN),
            output_bias: weights.take(1)[0],
            silence: Vec::new(),
        };
        assert!(weights.is_empty(), "silero_vad_v6.bin holds this network and nothing else");
        let mut silence = Vec::new();
        network.gates(&[0.0; CONTEXT + CHUNK], &mut silence);
        network.silence = silence;
        network
    }

    /// Magnitudes of one chunk's frames, into `FRAMES` rows of [`BINS`]. `sound` is context and chunk.
    fn spectrum(&self, sound: &[f32], rows: &mut [f32]) {
        let mut frame = self.fft.make_input_vec();
        let mut bins = self.fft.make_output_vec();
        let mut scratch = self.fft.make_scratch_vec();
        let last = sound.len() - 1;
        for (n, row) in rows.chunks_exact_mut(BINS).enumerate() {
            for (i, (value, window)) in frame.iter_mut().zip(&self.window).enumerate() {
                let at = n * HOP + i;
                *value = sound[if at > last { 2 * last - at } else { at }] * window;
            }
            self.fft
                .process_with_scratch(&mut frame, &mut bins, &mut scratch)
                .expect("the buffers were made by this very transform");
            for (value, bin) in row.iter_mut().zip(&bins) {
                *value = bin.norm_sqr().sqrt();
            }
        }
    }

    /// The inputs of the LSTM's gates for each chunk in `sound`, which begins with the context of the first.
    fn gates(&self, sound: &[f32], gates: &mut Vec<f32>) {
        let chunks = (sound.len() - CONTEXT) / CHUNK;
        let [first, second, third, fourth] = &self.convolutions;
        let mut work = Work::default();
        for n in 0..chunks {
            // One row of padding before and after.
            let spectra = &mut work.spectra[BINS..(FRAMES + 1) * BINS];
            self.spectrum(&sound[n * CHUNK..(n + 1) * CHUNK + CONTEXT], spectra);
            let (padding, convolved) = work.first.split_at_mut(CHANNELS[0]);
            debug_assert!(padding.iter().all(|value| *value == 0.0));
            first.apply(&work.spectra, BINS, convolved);
            rectify(convolved);
            second.apply(&work.first, 2 * CHANNELS[0], &mut work.second);
            rectify(&mut work.second);
            work.seconds.extend_from_slice(&work.second);
        }
        let mut thirds = vec![0.0; chunks * CHANNELS[2]];
        third.apply(&work.seconds, 2 * CHANNELS[1], &mut thirds);
        rectify(&mut thirds);
        let mut fourths = vec![0.0; chunks * HIDDEN];
        fourth.apply(&thirds, CHANNELS[2], &mut fourths);
        rectify(&mut fourths);
        gates.resize(chunks * 4 * HIDDEN, 0.0);
        self.inner.apply(&fourths, HIDDEN, gates);
    }
}

/// Buffers of one call.
struct Work {
    spectra: [f32; (FRAMES + 2) * BINS],
    first: [f32; (FRAMES + 1) * CHANNELS[0]],
    second: [f32; 2 * CHANNELS[1]],
    /// The second convolution's outputs of all chunks.
    seconds: Vec<f32>,
}

impl Default for Work {
    fn default() -> Self {
        Self {
            spectra: [0.0; (FRAMES + 2) * BINS],
            first: [0.0; (FRAMES + 1) * CHANNELS[0]],
            second: [0.0; 2 * CHANNELS[1]],
            seconds: Vec::with_capacity(TOGETHER * 2 * CHANNELS[1]),
        }
    }
}

fn rectify(values: &mut [f32]) {
    for value in values {
        *value = value.max(0.0);
    }
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// A stream of samples and the state of the LSTM. Its size does not depend on the length.
pub(super) struct Silero {
    network: &'static Network,
    hidden: [f32; HIDDEN],
    cell: [f32; HIDDEN],
    /// Context, and samples that wait for enough to go with.
    waiting: Vec<f32>,
    gates: Vec<f32>,
}

impl Silero {
    pub(super) fn new() -> Self {
        Self {
            network: &NETWORK,
            hidden: [0.0; HIDDEN],
            cell: [0.0; HIDDEN],
            waiting: vec![0.0; CONTEXT],
            gates: Vec::new(),
        }
    }

    /// Takes 16 kHz samples in pieces of any size; appends the probability of speech of each [`CHUNK`] that
    /// is decided.
    pub(super) fn push(&mut self, mut samples: &[f32], probabilities: &mut Vec<f32>) {
        while !samples.is_empty() {
            let room = CONTEXT + TOGETHER * CHUNK - self.waiting.len();
            let (now, later) = samples.split_at(room.min(samples.len()));
            self.waiting.extend_from_slice(now);
            samples = later;
            if self.waiting.len() == CONTEXT + TOGETHER * CHUNK {
                self.infer(probabilities);
            }
        }
    }

    /// Ends the sound; an incomplete chunk is filled up with silence.
    pub(super) fn finish(mut self, probabilities: &mut Vec<f32>) {
        let sound = self.waiting.len() - CONTEXT;
        self.waiting.resize(CONTEXT + sound.next_multiple_of(CHUNK), 0.0);
        self.infer(probabilities);
    }

    fn infer(&mut self, probabilities: &mut Vec<f32>) {
        let mut gates = std::mem::take(&mut self.gates);
        if self.waiting.iter().all(|sample| *sample == 0.0) {
            // Media hold hours of it. Only the LSTM's state goes on.
            gates.clear();
            gates.extend(std::iter::repeat_n(&self.network.silence, self.waiting.len() / CHUNK).flatten());
        } else {
            self.network.gates(&self.waiting, &mut gates);
        }
        for chunk in gates.chunks_exact_mut(4 * HIDDEN) {
            probabilities.push(self.step(chunk));
        }
        self.gates = gates;
        self.waiting.drain(..self.waiting.len() - CONTEXT);
    }

    /// One step of the LSTM; ONNX orders the gates input, output, forget, cell.
    fn step(&mut self, gates: &mut [f32]) -> f32 {
        let network = self.network;
        let mut remembered = [0.0; 4 * HIDDEN];
        network.recurrent.apply(&self.hidden, HIDDEN, &mut remembered);
        for (gate, value) in gates.iter_mut().zip(&remembered) {
            *gate += value;
        }
        let mut sum = network.output_bias;
        for i in 0..HIDDEN {
            let [input, output, forget] = [0, 1, 2].map(|gate| sigmoid(gates[gate * HIDDEN + i]));
            self.cell[i] = forget * self.cell[i] + input * gates[3 * HIDDEN + i].tanh();
            self.hidden[i] = output * self.cell[i].tanh();
            sum += network.output[i] * self.hidden[i].max(0.0);
        }
        sigmoid(sum)
    }
}

#[cfg(test)]
mod tests;
