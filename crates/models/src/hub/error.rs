//! What can fail while a model is downloaded.

use std::path::PathBuf;

use crate::ModelError;

const MEGABYTE: u64 = 1_000_000;

/// A model was not downloaded. The files that arrived so far are kept where they can be used: the same command continues
/// from there.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// The hub's URL or the token cannot be used.
    #[error("{0}")]
    Settings(String),
    /// The hub does not respond, or the connection breaks in every attempt.
    #[error(
        "{host} cannot be reached or the connection breaks ({reason}); what has arrived is kept, the same command continues from \
         there"
    )]
    Unreachable {
        /// The host.
        host: String,
        /// The network's error.
        reason: String,
    },
    /// The hub has no such model, or it is not public.
    #[error(
        "{repository} is not on {host}, or not public: check the name; for a private or gated model accept its \
         terms there and set HF_TOKEN"
    )]
    NoSuchModel {
        /// The repository.
        repository: String,
        /// The host.
        host: String,
    },
    /// The model has no such revision.
    #[error("{repository} has no branch, tag or commit {revision:?}")]
    NoSuchRevision {
        /// The repository.
        repository: String,
        /// The requested revision.
        revision: String,
    },
    /// The repository holds something else.
    #[error(
        "{repository} has no {file}: it is not a Whisper model in CTranslate2 format; look for one that was converted for \
         faster-whisper, such as Systran/faster-whisper-small"
    )]
    NotConverted {
        /// The repository.
        repository: String,
        /// The file it lacks.
        file: &'static str,
    },
    /// The hub responds with an error.
    #[error("{host} responds with HTTP status {status}")]
    Refused {
        /// The host.
        host: String,
        /// HTTP status.
        status: u16,
    },
    /// A response does not follow the protocol.
    #[error("{host} does not speak the protocol of a Hugging Face hub: {reason}")]
    Protocol {
        /// The host.
        host: String,
        /// What is wrong.
        reason: String,
    },
    /// The content is not what was announced.
    #[error("the content of {file} does not match its checksum and was deleted; run the command again")]
    Checksum {
        /// The file.
        file: &'static str,
    },
    /// The disk is too small.
    #[error(
        "not enough disk space in {}: {} MB are needed and {} MB are free; free some, or choose another models.directory",
        directory.display(), needed.div_ceil(MEGABYTE), free / MEGABYTE
    )]
    DiskFull {
        /// The directory of models.
        directory: PathBuf,
        /// Bytes that are still missing.
        needed: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// Another process downloads the same model now.
    #[error("{name} is being downloaded by another process")]
    Busy {
        /// The model.
        name: String,
    },
    /// The directory exists and holds something else.
    #[error("{} exists and was not downloaded from {repository}: choose another name with --as", directory.display())]
    Taken {
        /// The directory.
        directory: PathBuf,
        /// The repository that was to be downloaded.
        repository: String,
    },
    /// All files arrived, but they are not a usable model.
    #[error("{repository} was downloaded but cannot be used: {reason}")]
    Unusable {
        /// The repository.
        repository: String,
        /// What is wrong.
        reason: ModelError,
    },
    /// The disk.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file that was written or read.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
}

impl HubError {
    pub(super) fn io(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source }
    }

    /// Whether a retry may succeed.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { status, .. } => matches!(status, 408 | 429 | 500..),
            _ => false,
        }
    }
}
