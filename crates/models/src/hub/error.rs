//! What can go wrong between here and the hub.

use std::path::PathBuf;

use crate::ModelError;

const MEGABYTE: u64 = 1_000_000;

/// Why a model was not fetched. What has arrived so far is kept where that is of use: the same command goes on from
/// there.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// The hub's address or the token cannot be used.
    #[error("{0}")]
    Settings(String),
    /// Nobody answers, or the connection breaks again and again.
    #[error(
        "{host} cannot be reached or breaks off ({reason}); what has arrived is kept, the same command goes on from there"
    )]
    Unreachable {
        /// The host.
        host: String,
        /// In the words of the network.
        reason: String,
    },
    /// The hub has no such model, or does not show it to everybody.
    #[error(
        "{repository} is not on {host}, or not for everybody: check the name; for a private or gated model accept its \
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
        /// What was asked for.
        revision: String,
    },
    /// The repository holds something else.
    #[error(
        "{repository} has no {file}: it is no Whisper model in CTranslate2 format; look for one that was converted for \
         faster-whisper, such as Systran/faster-whisper-small"
    )]
    NotConverted {
        /// The repository.
        repository: String,
        /// The file it lacks.
        file: &'static str,
    },
    /// The hub refuses.
    #[error("{host} refuses with status {status}")]
    Refused {
        /// The host.
        host: String,
        /// HTTP status.
        status: u16,
    },
    /// The answer makes no sense.
    #[error("{host} does not speak the protocol of a Hugging Face hub: {reason}")]
    Protocol {
        /// The host.
        host: String,
        /// What is wrong.
        reason: String,
    },
    /// The content is not what was announced.
    #[error("what arrived as {file} does not match its checksum, and was thrown away; run the command again")]
    Checksum {
        /// The file.
        file: &'static str,
    },
    /// There is no room.
    #[error(
        "no room in {}: {} MB are needed and {} MB are free; make room, or choose another models.directory",
        folder.display(), needed.div_ceil(MEGABYTE), free / MEGABYTE
    )]
    DiskFull {
        /// The folder of models.
        folder: PathBuf,
        /// Bytes still to come.
        needed: u64,
        /// Bytes there are.
        free: u64,
    },
    /// Somebody fetches the same at this moment.
    #[error("{name} is being fetched by another process")]
    Busy {
        /// The model.
        name: String,
    },
    /// Something else is called so.
    #[error("{} exists and was not fetched from {repository}: choose another name with --as", folder.display())]
    Taken {
        /// The folder.
        folder: PathBuf,
        /// What was to be fetched.
        repository: String,
    },
    /// All arrived, and is no model.
    #[error("{repository} was fetched and cannot be used: {reason}")]
    Unusable {
        /// The repository.
        repository: String,
        /// What is wrong.
        reason: ModelError,
    },
    /// The disk.
    #[error("{}: {source}", path.display())]
    Io {
        /// What was written or read.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl HubError {
    pub(super) fn io(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::Io { path: path.to_owned(), source }
    }

    /// Whether the same may succeed a moment later.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { status, .. } => matches!(status, 408 | 429 | 500..),
            _ => false,
        }
    }
}
