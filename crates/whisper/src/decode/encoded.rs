//! What the encoder heard in each window.
//!
//! On a processor the encoder gains nothing from a batch, but takes the memory of its attention for every window of it
//! (9 MB a head); the decoder gains much and takes little. So windows are encoded one by one and decoded together.
//! Having the values also means that a second try at some windows of a batch, or the times of their words, need no
//! second encoding.

use std::cell::RefCell;

use crate::engine::{Engine, View};
use crate::error::TranscribeError;

/// Windows that were encoded, in the order of their spectrograms.
pub(super) enum Encoded {
    /// Values of all windows, one after the other.
    Here {
        /// A view wants them mutable, though nothing is written.
        values: RefCell<Vec<f32>>,
        windows: usize,
        /// Positions of one window, and numbers for each.
        shape: [usize; 2],
    },
    /// On a card, or in another precision than ours: what cannot be parted is encoded again.
    Elsewhere { all: View<'static>, windows: usize, features: RefCell<Vec<f32>>, shape: [usize; 2] },
}

impl Encoded {
    /// Encodes `features`: spectrograms of `shape` (mel bins, frames), one after the other.
    pub(super) fn encode(
        engine: &Engine,
        on_card: bool,
        mut features: Vec<f32>,
        shape: [usize; 2],
    ) -> Result<Self, TranscribeError> {
        let size = shape[0] * shape[1];
        let windows = features.len() / size;
        if on_card {
            return Self::together(engine, features, windows, shape);
        }
        // The second convolution halves the frames.
        let positions = shape[1].div_ceil(2);
        let mut values = Vec::new();
        for window in features.chunks_exact_mut(size) {
            let encoded = engine.encode(&View::of(window, 1, shape)?)?;
            let heard = encoded.values();
            if heard.is_empty() {
                return Self::together(engine, features, windows, shape);
            }
            // Room for all windows at once.
            values.reserve_exact((heard.len() * windows).saturating_sub(values.len()));
            values.extend_from_slice(heard);
        }
        let width = values.len() / (windows * positions).max(1);
        Ok(Self::Here { values: RefCell::new(values), windows, shape: [positions, width] })
    }

    fn together(
        engine: &Engine,
        mut features: Vec<f32>,
        windows: usize,
        shape: [usize; 2],
    ) -> Result<Self, TranscribeError> {
        let all = engine.encode(&View::of(&mut features, windows, shape)?)?;
        Ok(Self::Elsewhere { all, windows, features: RefCell::new(features), shape })
    }

    /// Calls `read` with these windows, at least one, in the order of time.
    pub(super) fn with<R>(
        &self,
        chosen: &[usize],
        read: impl FnOnce(&View<'_>) -> Result<R, TranscribeError>,
    ) -> Result<R, TranscribeError> {
        let (values, windows, shape) = match self {
            Self::Elsewhere { all, windows, .. } if chosen.len() == *windows => return read(all),
            Self::Elsewhere { features, windows, shape, .. } => (features, *windows, *shape),
            Self::Here { values, windows, shape } => (values, *windows, *shape),
        };
        let mut values = values.borrow_mut();
        if chosen.len() == windows {
            return read(&View::of(&mut values, windows, shape)?);
        }
        let size = shape[0] * shape[1];
        let mut some: Vec<f32> = chosen.iter().flat_map(|i| &values[i * size..(i + 1) * size]).copied().collect();
        read(&View::of(&mut some, chosen.len(), shape)?)
    }
}
