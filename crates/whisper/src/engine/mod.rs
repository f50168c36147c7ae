//! CTranslate2's Whisper as Rust sees it: one set of weights, and replicas that compute with it side by side.
//!
//! ct2rs builds and links CTranslate2. Its own `Whisper` gives each replica a copy of the weights and lets nobody see
//! what the encoder computed, so this crate binds these few calls itself (ADR 0024).

mod bridge;

use std::marker::PhantomData;
use std::path::Path;

use cxx::UniquePtr;

use bridge::ffi;
pub(crate) use bridge::ffi::{Alignment, Generation, Languages, Search};

use crate::error::TranscribeError;
use crate::model::ModelSettings;

/// A loaded model. Threads may share it; as many calls as it has replicas are computed side by side, others wait.
pub(crate) struct Engine(UniquePtr<ffi::Engine>);

/// Tables of numbers in CTranslate2's hands, one for each window; lent, or its own.
pub(crate) struct View<'a> {
    storage: UniquePtr<ffi::StorageView>,
    lent: PhantomData<&'a mut [f32]>,
}

impl Engine {
    /// Loads a checked folder; the error is CTranslate2's.
    pub(crate) fn load(folder: &Path, settings: &ModelSettings) -> Result<Self, String> {
        let folder = folder.to_str().ok_or("its path is not valid UTF-8")?;
        ffi::load(
            folder,
            settings.device.as_str(),
            settings.device_index,
            settings.compute_type.as_str(),
            settings.inter_threads,
            settings.intra_threads,
        )
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

    /// Spectrograms in, positions of the encoder out.
    pub(crate) fn encode(&self, features: &View<'_>) -> Result<View<'static>, TranscribeError> {
        let storage = self.0.encode(&features.storage).map_err(TranscribeError::engine)?;
        Ok(View { storage, lent: PhantomData })
    }

    /// The best text of each of so many windows after the same prompt.
    pub(crate) fn generate(
        &self,
        encoded: &View<'_>,
        windows: usize,
        prompt: &[usize],
        search: &Search,
    ) -> Result<Vec<Generation>, TranscribeError> {
        self.0.generate(&encoded.storage, windows, prompt, search).map_err(TranscribeError::engine)
    }

    /// The languages of each window.
    pub(crate) fn detect_language(&self, encoded: &View<'_>) -> Result<Vec<Languages>, TranscribeError> {
        self.0.detect_language(&encoded.storage).map_err(TranscribeError::engine)
    }

    /// When each token of `texts`, one for each window, was spoken; `frames` of each window are sound.
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
    /// `windows` tables of (rows, columns), one after the other.
    pub(crate) fn of(values: &'a mut [f32], windows: usize, shape: [usize; 2]) -> Result<Self, TranscribeError> {
        let storage = bridge::view(values, windows, shape).map_err(TranscribeError::engine)?;
        Ok(Self { storage, lent: PhantomData })
    }

    /// The numbers, one table after the other; empty if they are not 32-bit floats in this memory.
    pub(crate) fn values(&self) -> &[f32] {
        ffi::values(&self.storage)
    }
}
