//! What is known of a model without loading it.

use std::path::{Path, PathBuf};

use crate::files::ModelFiles;
use crate::weights::Weights;
use crate::{Checksums, Footprint, ModelError, ModelSettings};

/// A model as its files describe it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelInfo {
    /// Its name, see [`model_name`].
    pub name: String,
    /// Its directory.
    pub directory: PathBuf,
    /// Size of the weights on disk, in bytes.
    pub weights_bytes: u64,
    /// Precision of the weights as converted, under the names of [`crate::ComputeType`].
    pub precision: &'static str,
    /// Mel bins of its spectrograms: 80, or 128 from large-v3 on.
    pub mels: usize,
    /// ISO 639 codes of the languages it understands.
    pub languages: Vec<String>,
    /// Whether it understands more than English, and so can translate.
    pub multilingual: bool,
    /// Whether it can find the time of each word.
    pub can_align: bool,
    /// Whether the directory has a `SHA256SUMS`.
    pub has_checksums: bool,
    weights: Weights,
}

impl ModelInfo {
    /// Reads everything in `dir` but the numbers of the weights, and checks it; see [`ModelFiles::open`].
    ///
    /// # Errors
    /// As [`ModelFiles::open`].
    pub fn open(dir: &Path, checksums: Checksums) -> Result<Self, ModelError> {
        let files = ModelFiles::open(dir, checksums)?;
        Ok(Self {
            name: model_name(dir),
            directory: dir.to_owned(),
            weights_bytes: files.weights.file_bytes(),
            precision: files.weights.precision(),
            mels: files.mels,
            languages: files.languages,
            multilingual: files.multilingual,
            can_align: files.can_align,
            has_checksums: files.has_checksums,
            weights: files.weights,
        })
    }

    /// Memory that the model takes once it is loaded with `settings`. `mkl`: the engine multiplies with MKL, which keeps
    /// a second copy of each matrix.
    pub fn footprint(&self, settings: &ModelSettings, mkl: bool) -> Footprint {
        Footprint {
            weights_bytes: self.weights.memory_bytes(settings.compute_type, settings.device, mkl),
            replica_bytes: self.weights.dimensions().replica_bytes(),
        }
    }
}

/// The name of the model in a directory: the directory's own. A directory called `model` has the name of its parent, and
/// a snapshot in a Hugging Face cache (`models--ORG--NAME/snapshots/REVISION`) that of its repository.
pub fn model_name(dir: &Path) -> String {
    let dir = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    let mut names = dir.ancestors().filter_map(|above| above.file_name()?.to_str());
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
    fn a_model_has_a_name_that_identifies_it() {
        for (dir, name) in [
            ("/srv/models/faster-whisper-small", "faster-whisper-small"),
            ("/srv/models/demo/model", "demo"),
            ("/srv/models/demo/./model/", "demo"),
            ("/hub/models--Systran--faster-whisper-small/snapshots/536b0662", "faster-whisper-small"),
            ("/hub/snapshots/536b0662", "536b0662"),
            ("/model", "model"),
            ("/", "model"),
        ] {
            assert_eq!(model_name(Path::new(dir)), name, "{dir}");
        }
    }
}
