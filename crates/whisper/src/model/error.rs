//! What can be wrong with a model folder.

use std::path::PathBuf;

/// Why a model could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// There is no such folder.
    #[error("no model folder at {}: give the path of a CTranslate2 Whisper folder (model.bin, config.json, vocabulary.json)", path.display())]
    NoFolder {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The folder lacks a file.
    #[error("the model folder {} has no {file}: it is incomplete or not a CTranslate2 Whisper model", path.display())]
    MissingFile {
        /// The folder.
        path: PathBuf,
        /// The file that is not there.
        file: &'static str,
    },
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is not what its name says.
    #[error("{} is broken: {reason}; copy the model folder again", path.display())]
    BrokenFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A file's content is not what SHA256SUMS says.
    #[error("{} does not match its checksum in SHA256SUMS: copy the model folder again", path.display())]
    Checksum {
        /// The file.
        path: PathBuf,
    },
    /// A CTranslate2 model, but not of Whisper.
    #[error("the model in {} is not a Whisper model: {reason}", path.display())]
    NotWhisper {
        /// The folder.
        path: PathBuf,
        /// How that shows.
        reason: String,
    },
    /// The program cannot compute on a graphics card.
    #[error(
        "models.device is \"cuda\", but this program was built without it: build it with YTCAPTION_BACKEND=shared \
         (docs/operations.md says more), or set models.device to \"cpu\""
    )]
    NoCuda,
    /// There is no such graphics card.
    #[error(
        "there is no NVIDIA card number {index} (this machine shows {found}): check models.device_index, the driver \
         with `nvidia-smi`, and in a container that it was given the card"
    )]
    NoCard {
        /// What was asked for, counted from 0.
        index: i32,
        /// How many there are.
        found: i32,
    },
    /// A precision that this device does not compute in.
    #[error(
        "models.compute_type \"{compute_type}\" needs an NVIDIA card; on a processor use \"auto\", \"int8\" or \"float32\""
    )]
    NotOnProcessor {
        /// What was asked for.
        compute_type: &'static str,
    },
    /// CTranslate2 refused it.
    #[error("the model in {} could not be loaded: {reason}", path.display())]
    Load {
        /// The folder.
        path: PathBuf,
        /// CTranslate2's own words.
        reason: String,
    },
}

impl ModelError {
    /// The vocabulary lacks a token that every Whisper has.
    pub(crate) fn no_token(folder: &std::path::Path, token: &str) -> Self {
        Self::NotWhisper { path: folder.to_owned(), reason: format!("its vocabulary has no token {token}") }
    }
}
