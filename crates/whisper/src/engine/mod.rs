//! CTranslate2's Whisper as Rust sees it: one set of weights, and replicas that compute with it side by side.
//!
//! ct2rs builds and links CTranslate2. Its own `Whisper` gives each replica a copy of the weights and does not return the
//! encoder's output, so this crate binds these few calls itself (ADR 0024).

mod backend;
mod bridge;

use std::marker::PhantomData;
use std::path::Path;

use cxx::UniquePtr;

pub(crate) use backend::cuda_devices;
pub use backend::footprint;
use bridge::ffi;
pub(crate) use bridge::ffi::{Alignment, Generation, LanguageProbabilities, Search};

use crate::error::TranscribeError;

/// A loaded model. Threads may share it; as many calls as it has replicas are computed side by side, others wait.
pub(crate) struct Engine(UniquePtr<ffi::Engine>);

/// How [`Engine::load`] loads a model.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EngineConfig<'a> {
    /// CTranslate2's name of the device: `cpu` or `cuda`.
    pub(crate) device: &'a str,
    /// Number of the card, counted from 0; 0 for the processor.
    pub(crate) device_index: i32,
    /// CTranslate2's name of the precision, such as `int8`.
    pub(crate) compute_type: &'a str,
    /// Replicas that work side by side and share the weights; at least 1.
    pub(crate) replicas: usize,
    /// Threads of each replica; 0 lets CTranslate2 choose (up to 4).
    pub(crate) threads: usize,
    /// Of the random numbers that sampling draws; one for the whole process.
    pub(crate) seed: u32,
}

/// Tables of numbers for CTranslate2, one for each window: borrowed from Rust, or its own.
pub(crate) struct View<'a> {
    storage: UniquePtr<ffi::StorageView>,
    borrowed: PhantomData<&'a mut [f32]>,
}

impl Engine {
    /// Loads the model in `dir`, whose files have been checked; the error is CTranslate2's message.
    pub(crate) fn load(dir: &Path, config: EngineConfig<'_>) -> Result<Self, String> {
        let dir = dir.to_str().ok_or("its path is not valid UTF-8")?;
        let EngineConfig { device, device_index, compute_type, replicas, threads, seed } = config;
        ct2rs::sys::set_random_seed(seed);
        ffi::load(dir, device, device_index, compute_type, replicas, threads)
            .map(Self)
            .map_err(|error| error.to_string())
    }

    pub(crate) fn is_multilingual(&self) -> bool {
        self.0.is_multilingual()
    }

    /// Mel bins of a spectrogram.
    pub(crate) fn mels(&self) -> usize {
        self.0.mels()
    }

    /// The encoder's output, `[time, d_model]` of each window, for spectrograms `[mel bins, frames]`.
    pub(crate) fn encode(&self, features: &View<'_>) -> Result<View<'static>, TranscribeError> {
        let storage = self.0.encode(&features.storage).map_err(TranscribeError::engine)?;
        Ok(View { storage, borrowed: PhantomData })
    }

    /// The best text of each of the `windows` windows in `encoded`, all after the same prompt.
    pub(crate) fn generate(
        &self,
        encoded: &View<'_>,
        windows: usize,
        prompt: &[usize],
        search: &Search,
    ) -> Result<Vec<Generation>, TranscribeError> {
        self.0.generate(&encoded.storage, windows, prompt, search).map_err(TranscribeError::engine)
    }

    /// The probabilities of all languages for each window.
    pub(crate) fn detect_language(&self, encoded: &View<'_>) -> Result<Vec<LanguageProbabilities>, TranscribeError> {
        self.0.detect_language(&encoded.storage).map_err(TranscribeError::engine)
    }

    /// When each token of `texts`, one text for each window, was spoken; `frames[i]` frames of window `i` are audio, the
    /// rest is padding.
    pub(crate) fn align(
        &self,
        encoded: &View<'_>,
        start: &[usize],
        texts: &[Vec<usize>],
        frames: &[usize],
        median_filter_width: i64,
    ) -> Result<Vec<Alignment>, TranscribeError> {
        let lengths: Vec<usize> = texts.iter().map(Vec::len).collect();
        self.0
            .align(&encoded.storage, start, &texts.concat(), &lengths, frames, median_filter_width)
            .map_err(TranscribeError::engine)
    }
}

impl<'a> View<'a> {
    /// `values` as `windows` tables of `[rows, columns]`, one after the other.
    pub(crate) fn new(values: &'a mut [f32], windows: usize, shape: [usize; 2]) -> Result<Self, TranscribeError> {
        let storage = bridge::view(values, windows, shape).map_err(TranscribeError::engine)?;
        Ok(Self { storage, borrowed: PhantomData })
    }

    /// The numbers, one table after the other; empty if they are not 32-bit floats in the memory of this process.
    pub(crate) fn values(&self) -> &[f32] {
        ffi::values(&self.storage)
    }
}
