//! Why an attempt did not succeed, and whether another one may.

use ytcaption_blobstore::BlobError;
use ytcaption_domain::job::Failure;
use ytcaption_media::MediaError;

/// Who is to blame, and so what happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blame {
    /// What was asked for: the job fails.
    Request,
    /// The world outside: tried again, a few times.
    World,
    /// Our own storage: tried again until it is back.
    House,
}

/// A failed attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) blame: Blame,
    pub(crate) failure: Failure,
}

impl Fault {
    pub(crate) fn permanent(code: &str, message: impl Into<String>) -> Self {
        Self::new(Blame::Request, code, message)
    }

    pub(crate) fn transient(code: &str, message: impl Into<String>) -> Self {
        Self::new(Blame::World, code, message)
    }

    pub(crate) fn outage(code: &str, message: impl Into<String>) -> Self {
        Self::new(Blame::House, code, message)
    }

    fn new(blame: Blame, code: &str, message: impl Into<String>) -> Self {
        Self { blame, failure: Failure { code: code.to_owned(), message: message.into() } }
    }

    /// A fault of this machine's disk.
    pub(crate) fn disk(error: &std::io::Error) -> Self {
        Self::outage("disk_unavailable", format!("The worker could not use its disk ({error}). It is tried again."))
    }
}

impl From<BlobError> for Fault {
    fn from(error: BlobError) -> Self {
        if error.is_transient() {
            return Self::outage("storage_unavailable", format!("{}. It is tried again.", sentence(&error)));
        }
        match error {
            BlobError::NotFound { .. } => {
                Self::permanent("upload_missing", "The stored file is not there any more: submit it again.")
            }
            BlobError::Corrupt { .. } => {
                Self::permanent("upload_damaged", "The stored file is damaged on disk: submit it again.")
            }
            other => Self::permanent("storage_refused", sentence(&other)),
        }
    }
}

impl From<MediaError> for Fault {
    fn from(error: MediaError) -> Self {
        let text = sentence(&error);
        match error {
            MediaError::ToolMissing { .. } => {
                Self::transient("tool_missing", format!("The worker is not installed completely: {error}."))
            }
            MediaError::Empty => Self::permanent("empty_file", format!("{text}.")),
            MediaError::NotMedia { .. } => Self::permanent(
                "not_media",
                format!("{text}. Check that the address leads to the recording itself, or to a page that plays it."),
            ),
            MediaError::NoAudioTrack => Self::permanent("no_audio_track", format!("{text}.")),
            MediaError::IndexMissing => {
                Self::permanent("truncated_media", format!("{text}. Send it again from the original."))
            }
            MediaError::Undecodable { .. } => Self::permanent(
                "truncated_media",
                format!("{text}. The file seems cut off or damaged: send it again from the original."),
            ),
            MediaError::Incomplete { .. } => {
                Self::transient("audio_damaged", format!("{text}. Submit the recording again."))
            }
            MediaError::Unreadable { .. } | MediaError::Io(_) => {
                Self::outage("disk_unavailable", format!("{text}. It is tried again."))
            }
        }
    }
}

/// An error's text as the beginning of a sentence.
pub(crate) fn sentence(error: &impl std::fmt::Display) -> String {
    let text = error.to_string();
    let mut chars = text.trim_end_matches('.').chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
