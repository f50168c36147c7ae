//! A CTranslate2 Whisper folder, checked and loaded.

mod error;
mod files;
mod footprint;
mod info;
pub(crate) mod memory;
mod replicas;
mod settings;
mod weights;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use ct2rs::sys;

pub use error::ModelError;
pub use footprint::Footprint;
pub use info::{ModelInfo, model_name};
pub(crate) use replicas::Loan;
pub use settings::{ComputeType, Device, ModelSettings};

use crate::engine::Engine;
use crate::options::Task;
use crate::tokenizer::{Merges, Vocabulary};
use files::ModelFiles;
use replicas::Replicas;

/// The language of a model that knows only one.
pub(crate) const ENGLISH: &str = "en";

/// A model in memory. Threads may share it.
pub(crate) struct Model {
    /// One for each batch that may be decoded at the same time; they share the weights.
    replicas: Replicas,
    pub(crate) vocabulary: Vocabulary,
    /// Mel bins the encoder was built for.
    pub(crate) mels: usize,
    /// Seconds of sound in a full window: 30 for every published Whisper.
    pub(crate) chunk_length_s: u32,
    /// ISO 639 codes the model knows, in its own order; empty when it only knows English.
    pub(crate) languages: Vec<String>,
    pub(crate) can_align: bool,
    /// Windows decoded together unless the options say otherwise.
    pub(crate) batch_size: usize,
    multilingual: bool,
    /// Computes on a card, in whose memory everything stays.
    pub(crate) on_card: bool,
    /// Read when the first prompt comes: most transcriptions have none.
    merges: OnceLock<Option<Merges>>,
    dir: PathBuf,
}

impl Model {
    /// Checks the folder's files, then loads it.
    pub(crate) fn load(dir: &Path, settings: &ModelSettings) -> Result<Self, ModelError> {
        settings.check()?;
        let files = ModelFiles::check(dir, settings.verify_checksums)?;
        let vocabulary = Vocabulary::new(files.vocabulary).map_err(|missing| ModelError::no_token(dir, missing))?;
        memory::keep();
        sys::set_random_seed(settings.seed);
        let engine = Engine::load(dir, settings).map_err(|reason| ModelError::Load { path: dir.to_owned(), reason })?;
        let multilingual = engine.is_multilingual();
        let languages = if multilingual { vocabulary.languages(&files.config.lang_ids) } else { Vec::new() };
        Ok(Self {
            mels: engine.mels(),
            chunk_length_s: files.chunk_length_s,
            languages,
            can_align: files.config.alignment_heads.is_some_and(|heads| !heads.is_empty()),
            batch_size: files.weights.dimensions().batch_size(),
            dir: dir.to_owned(),
            multilingual,
            on_card: settings.device == Device::Cuda,
            replicas: Replicas::new(engine, settings.inter_threads),
            merges: OnceLock::new(),
            vocabulary,
        })
    }

    pub(crate) fn is_multilingual(&self) -> bool {
        self.multilingual
    }

    /// Whether the model can write English for another language.
    pub(crate) fn can_translate(&self) -> bool {
        self.multilingual && self.vocabulary.id(Task::Translate.token()).is_some()
    }

    /// How many batches can be decoded at the same time.
    pub(crate) fn replicas(&self) -> usize {
        self.replicas.len()
    }

    /// A replica of one's own; blocks until one is free.
    pub(crate) fn engine(&self) -> Loan<'_> {
        self.replicas.lend()
    }

    /// The tokens of a text; `None` when the folder has no usable `tokenizer.json`.
    pub(crate) fn encode(&self, text: &str) -> Option<Vec<usize>> {
        let merges = self.merges.get_or_init(|| {
            let json = std::fs::read_to_string(self.dir.join("tokenizer.json")).ok()?;
            Merges::read(&json).inspect_err(|error| tracing::warn!(%error, "tokenizer.json is broken")).ok()
        });
        merges.as_ref().map(|merges| merges.encode(&self.vocabulary, text))
    }

    /// What people call it.
    pub(crate) fn name(&self) -> String {
        model_name(&self.dir)
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        // Fields are dropped after this: the weights go before, so that they are given back too.
        self.replicas.unload();
        memory::release();
    }
}

#[cfg(test)]
mod tests;
