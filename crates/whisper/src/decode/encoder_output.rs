//! The encoder's output for each window of a batch.
//!
//! On a processor the encoder gains nothing from a batch, but takes the memory of its attention for every window of it
//! (9 MB a head); the decoder gains much and takes little. So windows are encoded one by one and decoded together.
//! Having the values also means that a second hypothesis for some windows of a batch, or the times of their words, need
//! no second encoding.

use std::cell::RefCell;

use crate::engine::{Engine, View};
use crate::error::TranscribeError;

/// Windows that were encoded, in the order of their spectrograms.
pub(super) enum EncoderOutput {
    /// 32-bit floats in this process.
    Host {
        /// The output of all windows, one after the other. A view takes them mutable, though nothing is written.
        values: RefCell<Vec<f32>>,
        windows: usize,
        /// Of one window: `[time, d_model]`, positions and numbers for each.
        shape: [usize; 2],
    },
    /// In a card's memory, or in another precision: it cannot be divided, so some of the windows are encoded again.
    Device {
        all: View<'static>,
        windows: usize,
        /// The spectrograms of all windows, one after the other.
        features: RefCell<Vec<f32>>,
        /// Of one spectrogram: `[mel bins, frames]`.
        shape: [usize; 2],
    },
}

impl EncoderOutput {
    /// Encodes `features`: spectrograms of `shape` (`[mel bins, frames]`), one after the other.
    pub(super) fn encode(
        engine: &Engine,
        on_card: bool,
        mut features: Vec<f32>,
        shape: [usize; 2],
    ) -> Result<Self, TranscribeError> {
        let size = shape[0] * shape[1];
        let windows = features.len() / size;
        if on_card {
            return Self::on_device(engine, features, windows, shape);
        }
        // The second convolution halves the frames.
        let positions = shape[1].div_ceil(2);
        let mut values = Vec::new();
        for window in features.chunks_exact_mut(size) {
            let encoded = engine.encode(&View::new(window, 1, shape)?)?;
            let output = encoded.values();
            if output.is_empty() {
                return Self::on_device(engine, features, windows, shape);
            }
            // Room for all windows at once.
            values.reserve_exact((output.len() * windows).saturating_sub(values.len()));
            values.extend_from_slice(output);
        }
        let width = values.len() / (windows * positions).max(1);
        Ok(Self::Host { values: RefCell::new(values), windows, shape: [positions, width] })
    }

    fn on_device(
        engine: &Engine,
        mut features: Vec<f32>,
        windows: usize,
        shape: [usize; 2],
    ) -> Result<Self, TranscribeError> {
        let all = engine.encode(&View::new(&mut features, windows, shape)?)?;
        Ok(Self::Device { all, windows, features: RefCell::new(features), shape })
    }

    /// Calls `work` with the output (or the spectrograms) of the `chosen` windows, at least one, in ascending order.
    pub(super) fn with<R>(
        &self,
        chosen: &[usize],
        work: impl FnOnce(&View<'_>) -> Result<R, TranscribeError>,
    ) -> Result<R, TranscribeError> {
        let (values, windows, shape) = match self {
            Self::Device { all, windows, .. } if chosen.len() == *windows => return work(all),
            Self::Device { features, windows, shape, .. } => (features, *windows, *shape),
            Self::Host { values, windows, shape } => (values, *windows, *shape),
        };
        let mut values = values.borrow_mut();
        if chosen.len() == windows {
            return work(&View::new(&mut values, windows, shape)?);
        }
        let size = shape[0] * shape[1];
        let mut some: Vec<f32> = chosen.iter().flat_map(|i| &values[i * size..(i + 1) * size]).copied().collect();
        work(&View::new(&mut some, chosen.len(), shape)?)
    }
}
