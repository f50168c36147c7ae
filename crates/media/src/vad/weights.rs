//! The numbers Silero VAD was trained to, under the licence beside this file.

/// Little-endian 32-bit floats, in the order in which `network.rs` reads them.
const BYTES: &[u8] = include_bytes!("silero_vad_v6.bin");

/// Hands them out from first to last.
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
