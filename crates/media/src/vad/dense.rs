//! The trained parameters, and the only kind of layer that is needed: a matrix and a bias, since a convolution is one
//! too.

use multiversion::multiversion;

/// The parameters of Silero VAD, under the licence beside this file: little-endian 32-bit floats in the order in which
/// `network.rs` takes them.
const BYTES: &[u8] = include_bytes!("silero_vad_v6.bin");

/// Returns the parameters from first to last.
pub(super) struct Weights {
    rest: &'static [[u8; 4]],
}

impl Weights {
    pub(super) fn new() -> Self {
        Self { rest: BYTES.as_chunks().0 }
    }

    pub(super) fn take(&mut self, count: usize) -> Vec<f32> {
        let (taken, rest) = self.rest.split_at(count);
        self.rest = rest;
        taken.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
    }

    /// Whether all were taken, as they must be.
    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
}

/// Outputs computed side by side; a multiple of every processor's vector length.
const LANES: usize = 64;

/// `output = input · matrix + bias`.
#[derive(Debug)]
pub(super) struct Dense {
    inputs: usize,
    outputs: usize,
    /// For each group of [`LANES`] outputs, the weights of every input: read from first to last.
    columns: Vec<[f32; LANES]>,
    bias: Vec<[f32; LANES]>,
}

impl Dense {
    /// Takes a matrix with a row of `outputs` for each input, then the bias.
    pub(super) fn from_weights(weights: &mut Weights, inputs: usize, outputs: usize) -> Self {
        let matrix = weights.take(inputs * outputs);
        let bias = weights.take(outputs);
        Self::new(&matrix, &bias, inputs, outputs)
    }

    /// Takes a matrix that has no bias.
    pub(super) fn without_bias(weights: &mut Weights, inputs: usize, outputs: usize) -> Self {
        Self::new(&weights.take(inputs * outputs), &vec![0.0; outputs], inputs, outputs)
    }

    fn new(matrix: &[f32], bias: &[f32], inputs: usize, outputs: usize) -> Self {
        let lanes = |row: &[f32], group: usize| std::array::from_fn(|lane| row[group * LANES + lane]);
        let groups = outputs / LANES;
        let columns = (0..groups).flat_map(|group| (0..inputs).map(move |input| (group, input)));
        Self {
            inputs,
            outputs,
            columns: columns.map(|(group, input)| lanes(&matrix[input * outputs..], group)).collect(),
            bias: (0..groups).map(|group| lanes(bias, group)).collect(),
        }
    }

    /// Computes one output row for each input row; input row `n` begins at `n * stride` of `input`, so that
    /// rows may overlap, as those of a convolution do.
    pub(super) fn apply(&self, input: &[f32], stride: usize, output: &mut [f32]) {
        for (n, output) in output.chunks_exact_mut(self.outputs).enumerate() {
            multiply(&self.columns, &self.bias, &input[n * stride..n * stride + self.inputs], output);
        }
    }
}

/// The same sums in the same order on every processor, only more of them side by side.
#[multiversion(targets("x86_64+avx2"))]
fn multiply(columns: &[[f32; LANES]], bias: &[[f32; LANES]], input: &[f32], output: &mut [f32]) {
    let groups = columns.chunks_exact(input.len()).zip(bias);
    for ((columns, bias), output) in groups.zip(output.as_chunks_mut().0) {
        let mut sums = *bias;
        for (column, value) in columns.iter().zip(input) {
            for (sum, weight) in sums.iter_mut().zip(column) {
                *sum += value * weight;
            }
        }
        *output = sums;
    }
}
