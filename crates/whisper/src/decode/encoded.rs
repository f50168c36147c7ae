//! What the encoder heard in each window.
//!
//! On a processor the encoder gains nothing from a batch, but takes the memory of its attention for every window of it
//! (9 MB a head); the decoder gains much and takes little. So windows are encoded one by one and decoded together.
//! Having the values also means that a second try at some windows of a batch, or the times of their words, need no
//! second encoding.

use std::cell::RefCell;

use ct2rs::sys::{Device, StorageView, Whisper};

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
    Elsewhere { all: StorageView<'static>, windows: usize, features: RefCell<Vec<f32>>, shape: [usize; 2] },
}

impl Encoded {
    /// Encodes `features`: spectrograms of `shape` (mel bins, frames), one after the other.
    pub(super) fn encode(
        whisper: &Whisper,
        on_card: bool,
        mut features: Vec<f32>,
        shape: [usize; 2],
    ) -> Result<Self, TranscribeError> {
        let size = shape[0] * shape[1];
        let windows = features.len() / size;
        if on_card {
            return Self::together(whisper, features, windows, shape);
        }
        // The second convolution halves the frames.
        let positions = shape[1].div_ceil(2);
        let mut values = Vec::new();
        for window in features.chunks_exact_mut(size) {
            let one = view(window, 1, shape)?;
            let encoded = whisper.encode(&one, false).map_err(|error| TranscribeError::engine(&error))?;
            if !native::append(&encoded, windows, &mut values) {
                return Self::together(whisper, features, windows, shape);
            }
        }
        let width = values.len() / (windows * positions).max(1);
        Ok(Self::Here { values: RefCell::new(values), windows, shape: [positions, width] })
    }

    fn together(
        whisper: &Whisper,
        mut features: Vec<f32>,
        windows: usize,
        shape: [usize; 2],
    ) -> Result<Self, TranscribeError> {
        let all = whisper.encode(&view(&mut features, windows, shape)?, false);
        let all = all.map_err(|error| TranscribeError::engine(&error))?;
        Ok(Self::Elsewhere { all, windows, features: RefCell::new(features), shape })
    }

    /// Calls `read` with these windows, at least one, in the order of time.
    pub(super) fn with<R>(
        &self,
        chosen: &[usize],
        read: impl FnOnce(&StorageView<'_>) -> Result<R, TranscribeError>,
    ) -> Result<R, TranscribeError> {
        let (values, windows, shape) = match self {
            Self::Elsewhere { all, windows, .. } if chosen.len() == *windows => return read(all),
            Self::Elsewhere { features, windows, shape, .. } => (features, *windows, *shape),
            Self::Here { values, windows, shape } => (values, *windows, *shape),
        };
        let mut values = values.borrow_mut();
        if chosen.len() == windows {
            return read(&view(&mut values, windows, shape)?);
        }
        let size = shape[0] * shape[1];
        let mut some: Vec<f32> = chosen.iter().flat_map(|i| &values[i * size..(i + 1) * size]).copied().collect();
        read(&view(&mut some, chosen.len(), shape)?)
    }
}

fn view(values: &mut [f32], windows: usize, [rows, columns]: [usize; 2]) -> Result<StorageView<'_>, TranscribeError> {
    StorageView::new(&[windows, rows, columns], values, Device::CPU).map_err(|error| TranscribeError::engine(&error))
}

mod native {
    #![expect(unsafe_code, reason = "ct2rs lets nobody see the values of what the encoder returns")]

    use std::ffi::c_void;

    use ct2rs::sys::{Device, StorageView};

    unsafe extern "C" {
        /// In `native/encoded.cpp`.
        fn ytcaption_encoded_values(encoded: *const c_void) -> *const f32;
    }

    /// Appends the values of one of `windows` equal windows; false if they are not in this memory, or no floats.
    pub(super) fn append(encoded: &StorageView<'_>, windows: usize, values: &mut Vec<f32>) -> bool {
        if encoded.device() != Device::CPU {
            return false;
        }
        let Ok(size) = usize::try_from(encoded.size()) else { return false };
        let object = std::ptr::from_ref(&**encoded).cast();
        // SAFETY: ct2rs derefs to the very C++ object, which lives as long as `encoded` is borrowed; it is only read.
        let first = unsafe { ytcaption_encoded_values(object) };
        if first.is_null() {
            return false;
        }
        // SAFETY: CTranslate2 keeps `size` values of its type, here floats, in one piece, and nothing changes them.
        let found = unsafe { std::slice::from_raw_parts(first, size) };
        // Room for all windows at once.
        values.reserve_exact((size * windows).saturating_sub(values.len()));
        values.extend_from_slice(found);
        true
    }
}
