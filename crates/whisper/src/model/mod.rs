//! A CTranslate2 Whisper model, checked and loaded.

mod error;
mod language;
pub(crate) mod memory;
mod replicas;

use std::path::Path;

use ytcaption_domain::job::Task;
use ytcaption_models::{ComputeType, Device, ModelFiles, ModelSettings, model_name};

pub use error::LoadError;
pub(crate) use language::is_auto;
pub(crate) use replicas::ReplicaGuard;

use crate::engine::{Engine, EngineConfig, cuda_devices};
use crate::tokenizer::{Tokenizer, task_token};
use replicas::Replicas;

/// A model in memory. Threads may share it.
pub(crate) struct Model {
    /// One for each batch that may be decoded at the same time; they share the weights.
    replicas: Replicas,
    pub(crate) tokenizer: Tokenizer,
    /// Its name, see [`model_name`].
    pub(crate) name: String,
    /// Mel bins the encoder was built for.
    pub(crate) mels: usize,
    /// Seconds of audio in a full window: 30 for every published Whisper.
    pub(crate) chunk_length_s: u32,
    /// ISO 639 codes of the languages the model understands, in its own order.
    pub(crate) languages: Vec<String>,
    pub(crate) can_align: bool,
    /// Windows decoded together unless the options say otherwise.
    pub(crate) batch_size: usize,
    pub(crate) multilingual: bool,
    /// Computes on a card, in whose memory the encoder's output stays.
    pub(crate) on_card: bool,
}

impl Model {
    /// Checks the files in `dir`, then loads them.
    pub(crate) fn load(dir: &Path, settings: &ModelSettings) -> Result<Self, LoadError> {
        check_device(settings)?;
        let files = ModelFiles::open(dir, settings.checksums())?;
        let batch_size = files.dimensions().batch_size();
        memory::release_at_once();
        let config = EngineConfig {
            device: settings.device.as_str(),
            device_index: settings.device_index,
            compute_type: settings.compute_type.as_str(),
            replicas: settings.inter_threads,
            threads: settings.intra_threads,
            seed: settings.seed,
        };
        let failed = |reason| LoadError::Engine { path: dir.to_owned(), reason };
        let loaded = Engine::load(dir, config).map_err(failed);
        memory::keep();
        let engine = loaded?;
        Ok(Self {
            name: model_name(dir),
            mels: engine.mels(),
            chunk_length_s: files.chunk_length_s,
            languages: files.languages,
            can_align: files.can_align,
            batch_size,
            multilingual: engine.is_multilingual(),
            on_card: settings.device == Device::Cuda,
            replicas: Replicas::new(engine, settings.inter_threads),
            tokenizer: Tokenizer::new(files.vocabulary, dir.join("tokenizer.json")),
        })
    }

    /// Whether the model can write English for another language.
    pub(crate) fn can_translate(&self) -> bool {
        self.multilingual && self.tokenizer.vocabulary.id(task_token(Task::Translate)).is_some()
    }

    /// How many batches can be decoded at the same time.
    pub(crate) fn replicas(&self) -> usize {
        self.replicas.len()
    }

    /// A replica for the caller alone; blocks until one is free.
    pub(crate) fn acquire(&self) -> ReplicaGuard<'_> {
        self.replicas.acquire()
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        // Fields are dropped after this: the weights must be freed before, so that their memory is released too.
        self.replicas.unload();
        memory::release();
    }
}

/// Fails for what this program or this machine cannot do, with a message that says what to do instead: CTranslate2's own
/// messages do not.
fn check_device(settings: &ModelSettings) -> Result<(), LoadError> {
    match settings.device {
        Device::Cpu => match settings.compute_type {
            ComputeType::Float16 | ComputeType::Int8Float16 => {
                Err(LoadError::NotOnProcessor { compute_type: settings.compute_type.as_str() })
            }
            _ => Ok(()),
        },
        Device::Cuda => {
            let found = cuda_devices().ok_or(LoadError::NoCuda)?;
            let exists = (0..found).contains(&settings.device_index);
            if exists { Ok(()) } else { Err(LoadError::NoCard { index: settings.device_index, found }) }
        }
    }
}

#[cfg(test)]
mod tests;
