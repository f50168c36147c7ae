//! What can be known of a model without loading it.

use std::path::{Path, PathBuf};

use super::files::ModelFiles;
use super::{Footprint, ModelError, ModelSettings};
use crate::tokenizer::Vocabulary;

/// A model as its files describe it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelInfo {
    /// What people call it, see [`model_name`].
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
    /// Size of the weights on disk, in bytes.
    pub weights_bytes: u64,
    /// Precision of the weights as converted, in the words of [`super::ComputeType`].
    pub precision: &'static str,
    /// Mel bins of the spectrogram it hears.
    pub mels: usize,
    /// ISO 639 codes of the languages it understands.
    pub languages: Vec<String>,
    /// Whether it understands more than English, and so can translate.
    pub multilingual: bool,
    /// Whether it can tell the time of each word.
    pub can_align: bool,
    /// Whether the folder has a `SHA256SUMS` to be compared with.
    pub checksums: bool,
    /// What it will take in memory.
    pub footprint: Footprint,
}

impl ModelInfo {
    /// Reads everything but the numbers of the weights: checks that all files are there, whole and of one model.
    /// Checksums are compared if `settings` say so, which reads the weights after all.
    pub fn read(folder: &Path, settings: &ModelSettings) -> Result<Self, ModelError> {
        let files = ModelFiles::check(folder, settings.verify_checksums)?;
        let checksums = files.checksums;
        let (mels, multilingual) = (files.mels, files.is_multilingual());
        let vocabulary = Vocabulary::new(files.vocabulary).map_err(|missing| ModelError::no_token(folder, missing))?;
        let languages =
            if multilingual { vocabulary.languages(&files.config.lang_ids) } else { vec![super::ENGLISH.to_owned()] };
        Ok(Self {
            name: model_name(folder),
            folder: folder.to_owned(),
            weights_bytes: files.weights.file_bytes(),
            precision: files.weights.precision(),
            mels,
            languages,
            multilingual,
            can_align: files.config.alignment_heads.is_some_and(|heads| !heads.is_empty()),
            checksums,
            footprint: Footprint {
                weights_bytes: files.weights.memory_bytes(settings.compute_type, settings.device),
                replica_bytes: files.weights.dimensions().replica_bytes(),
            },
        })
    }
}

/// What people call the model in a folder: the folder's name. A folder that is called just `model` goes by the name of
/// the one above it, and a snapshot in a Hugging Face cache (`models--ORG--NAME/snapshots/REVISION`) by its repository's.
pub fn model_name(folder: &Path) -> String {
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let mut names = folder.ancestors().filter_map(|above| above.file_name()?.to_str());
    match (names.next(), names.next(), names.next()) {
        (Some(_), Some("snapshots"), Some(repository)) if repository.starts_with("models--") => {
            repository.rsplit("--").next().unwrap_or(repository).to_owned()
        }
        (Some("model"), Some(above), _) => above.to_owned(),
        (Some(name), ..) => name.to_owned(),
        (None, ..) => "model".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_goes_by_a_name_that_says_something() {
        for (folder, name) in [
            ("/srv/models/faster-whisper-small", "faster-whisper-small"),
            ("/srv/models/demo/model", "demo"),
            ("/srv/models/demo/./model/", "demo"),
            ("/hub/models--Systran--faster-whisper-small/snapshots/536b0662", "faster-whisper-small"),
            ("/hub/snapshots/536b0662", "536b0662"),
            ("/model", "model"),
            ("/", "model"),
        ] {
            assert_eq!(model_name(Path::new(folder)), name, "{folder}");
        }
    }
}
