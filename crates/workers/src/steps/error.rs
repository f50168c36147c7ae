//! Why an attempt did not succeed, and whether another one may.

use ytcaption_blobstore::BlobError;
use ytcaption_domain::job::Failure;
use ytcaption_media::MediaError;

/// Who is to retry_class, and so what happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RetryClass {
    /// What was asked for: the job fails.
    Permanent,
    /// The world outside: tried again, a few times.
    Transient,
    /// Our own storage: tried again until it is back.
    Unavailable,
}

/// A failed attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StepError {
    pub(crate) retry_class: RetryClass,
    pub(crate) failure: Failure,
}

impl StepError {
    pub(crate) fn permanent(code: &str, message: impl Into<String>) -> Self {
        Self::new(RetryClass::Permanent, code, message)
    }

    pub(crate) fn transient(code: &str, message: impl Into<String>) -> Self {
        Self::new(RetryClass::Transient, code, message)
    }

    pub(crate) fn unavailable(code: &str, message: impl Into<String>) -> Self {
        Self::new(RetryClass::Unavailable, code, message)
    }

    fn new(retry_class: RetryClass, code: &str, message: impl Into<String>) -> Self {
        Self { retry_class, failure: Failure { code: code.to_owned(), message: message.into() } }
    }

    /// A error of this machine's disk.
    pub(crate) fn disk(error: &std::io::Error) -> Self {
        Self::unavailable(
            "disk_unavailable",
            format!("The worker could not use its disk ({error}). It is tried again."),
        )
    }
}

impl From<BlobError> for StepError {
    fn from(error: BlobError) -> Self {
        if error.is_transient() {
            return Self::unavailable("storage_unavailable", format!("{}. It is tried again.", sentence(&error)));
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

impl From<MediaError> for StepError {
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
                Self::unavailable("disk_unavailable", format!("{text}. It is tried again."))
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
