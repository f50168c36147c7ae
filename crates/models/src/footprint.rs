//! How much memory a model takes, and how much of that a batch may.

/// Positions of the encoder for a window of 30 s, which all published Whispers have.
const POSITIONS: u64 = 1500;
/// Numbers of an attention head, in all published Whispers.
const HEAD_WIDTH: u64 = 64;
/// Bytes of a 32-bit float.
const FLOAT: u64 = 4;
/// The encoder holds the scores of all heads, and what becomes of them, of one layer at a time.
const TABLES_OF_SCORES: u64 = 2;
/// The decoder keeps keys and values of every position for each of its layers.
const KEYS_AND_VALUES: u64 = 2;
/// A second window makes each decoding step read the weights for two; with a third, and a fourth, little more is gained.
const MAX_BATCH: u64 = 2;
/// What the decoder may keep for one batch, if more than one window is in it.
const MAX_KEPT_BYTES: u64 = 256 << 20;

/// Memory that a loaded model takes, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Footprint {
    /// The weights, once for all replicas.
    pub weights_bytes: u64,
    /// Buffers of each replica.
    pub replica_bytes: u64,
}

impl Footprint {
    /// Bytes that the model takes with this many replicas.
    pub fn bytes(&self, replicas: usize) -> u64 {
        self.weights_bytes.saturating_add(self.replica_bytes.saturating_mul(replicas as u64))
    }
}

/// The dimensions that determine the size of a replica's buffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dimensions {
    /// Numbers for each position of the encoder (`d_model`).
    pub width: u64,
    /// Layers of the decoder.
    pub decoder_layers: u64,
}

impl Dimensions {
    /// Windows that a replica decodes together by default: 1 or 2.
    pub fn batch_size(self) -> usize {
        usize::try_from((MAX_KEPT_BYTES / self.kept_bytes().max(1)).clamp(1, MAX_BATCH)).unwrap_or(1)
    }

    /// The encoder computes one window at a time, then the decoder the batch; freed memory serves both.
    pub(crate) fn replica_bytes(self) -> u64 {
        let heads = self.width.div_ceil(HEAD_WIDTH);
        let scores = TABLES_OF_SCORES * heads * POSITIONS * POSITIONS * FLOAT;
        scores.max(self.kept_bytes() * self.batch_size() as u64)
    }

    /// What the decoder keeps of a window.
    fn kept_bytes(self) -> u64 {
        KEYS_AND_VALUES * self.decoder_layers * POSITIONS * self.width * FLOAT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_of_a_large_model_is_one_window() {
        let batch = |width, decoder_layers| Dimensions { width, decoder_layers }.batch_size();
        assert_eq!([batch(384, 4), batch(512, 6), batch(768, 12), batch(1280, 32)], [2, 2, 2, 1]);
    }

    #[test]
    fn replicas_share_the_weights() {
        let small = Dimensions { width: 768, decoder_layers: 12 };
        assert_eq!(
            small.replica_bytes() >> 20,
            210,
            "keys and values of two windows; two tables of scores take 206 MiB"
        );
        let footprint = Footprint { weights_bytes: 250, replica_bytes: 200 };
        assert_eq!([footprint.bytes(1), footprint.bytes(8)], [450, 1850]);
    }
}
