//! What can be wrong with a model directory.

use std::path::PathBuf;

/// The files of a model are missing, broken or not those of a Whisper model.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The path is not a directory.
    #[error("no model directory at {}: give the path of a CTranslate2 Whisper directory (model.bin, config.json, vocabulary.json)", path.display())]
    NoDirectory {
        /// The path.
        path: PathBuf,
    },
    /// The directory lacks a file.
    #[error("the model directory {} has no {file}: it is incomplete or not a CTranslate2 Whisper model", path.display())]
    MissingFile {
        /// The directory.
        path: PathBuf,
        /// The name of the missing file.
        file: &'static str,
    },
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// A file does not have the format of its name.
    #[error("{} is broken: {reason}; copy the model directory again", path.display())]
    BrokenFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A file's content does not have the SHA-256 that SHA256SUMS lists.
    #[error("{} does not match its checksum in SHA256SUMS: copy the model directory again", path.display())]
    Checksum {
        /// The file.
        path: PathBuf,
    },
    /// The numbers of the weights and of `config.json` do not fit together: computing with them would end the process.
    #[error("the model in {} cannot be computed with: {reason}; pull or convert it again", path.display())]
    Inconsistent {
        /// The directory.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// A CTranslate2 model, but not of Whisper.
    #[error("the model in {} is not a Whisper model: {reason}", path.display())]
    NotWhisper {
        /// The directory.
        path: PathBuf,
        /// How that shows.
        reason: String,
    },
}

impl ModelError {
    /// The vocabulary lacks a token that every Whisper has.
    pub(crate) fn missing_token(dir: &std::path::Path, token: &str) -> Self {
        Self::NotWhisper { path: dir.to_owned(), reason: format!("its vocabulary has no token {token}") }
    }
}
