//! Why an attempt failed, and whether another one may succeed.

use std::fmt::Display;
use std::io::ErrorKind;

use ytcaption_blobstore::BlobError;
use ytcaption_domain::job::Failure;
use ytcaption_domain::text::{self, MAX_MESSAGE_CHARS};
use ytcaption_media::MediaError;

/// What a failure depends on, and so what happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RetryClass {
    /// The request itself: the job fails.
    Permanent,
    /// Something outside: tried again, at most [`RetrySettings::max_attempts`](super::RetrySettings::max_attempts) times.
    Transient,
    /// A host name that does not resolve: as [`Self::Transient`], with more attempts, as the name service may be down for
    /// minutes, and its answer is then that of a name that does not exist.
    Unresolved,
    /// A part of this system that does not answer: tried again until it does.
    Unavailable,
}

/// A failed attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StepError {
    pub(crate) retry_class: RetryClass,
    /// Code and message for the client; the message is one or more sentences. It names no path, process or internal address.
    pub(crate) failure: Failure,
    /// What the operator has to know beyond it, for the log.
    pub(crate) reason: Option<String>,
    /// Host and port of the server that failed, where it may be another than that of the URL: a redirect leads anywhere.
    pub(crate) host: Option<String>,
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

    pub(crate) fn new(retry_class: RetryClass, code: &str, message: impl Into<String>) -> Self {
        // It may quote a page, a file or another program.
        let message = text::clean(&message.into(), MAX_MESSAGE_CHARS);
        Self { retry_class, failure: Failure { code: code.to_owned(), message }, reason: None, host: None }
    }

    /// The same with a reason that is for the log only.
    pub(crate) fn because(self, reason: impl Display) -> Self {
        Self { reason: Some(text::clean(&reason.to_string(), MAX_MESSAGE_CHARS)), ..self }
    }

    /// The same, by the server at this host and port.
    pub(crate) fn at(self, host: &str) -> Self {
        Self { host: Some(host.to_owned()), ..self }
    }

    /// The disk of the worker cannot be used.
    pub(crate) fn disk(error: &std::io::Error) -> Self {
        let message = match error.kind() {
            ErrorKind::StorageFull => "The worker's disk is full. The step is tried again.",
            _ => "The worker could not use its disk. The step is tried again.",
        };
        Self::unavailable("disk_unavailable", message).because(error)
    }

    /// The aggregate rejects the result: an error of this program, which no further attempt repairs. The job must not stay
    /// open because of it.
    pub(crate) fn result_rejected(rejection: &dyn Display) -> Self {
        Self::permanent(
            "result_rejected",
            format!(
                "The result of the worker does not fit the job: {rejection}. \
                 This is an error of YTCaption: please report it with the id of the job."
            ),
        )
    }

    /// The event store refuses what the result contains, whenever it is tried.
    pub(crate) fn result_unstorable(error: &dyn Display) -> Self {
        let message = "The result of the worker cannot be stored. This is an error of YTCaption: please report it with the id \
                       of the job.";
        Self::permanent("result_rejected", message).because(error)
    }
}

impl From<BlobError> for StepError {
    fn from(error: BlobError) -> Self {
        if error.is_transient() {
            let message = "The storage cannot be used at the moment. The step is tried again.";
            return Self::unavailable("storage_unavailable", message).because(error);
        }
        match error {
            BlobError::NotFound { .. } => {
                Self::permanent("upload_missing", "The uploaded file is no longer in storage: upload it again.")
            }
            BlobError::Corrupt { .. } => {
                Self::permanent("upload_corrupt", "The uploaded file is corrupt in storage: upload it again.")
            }
            other => {
                let message = "The storage refuses the media: contact the operator, whose log says why.";
                Self::permanent("storage_refused", message).because(other)
            }
        }
    }
}

impl From<MediaError> for StepError {
    fn from(error: MediaError) -> Self {
        let text = text::without_internals(&sentence(&error));
        let reason = error.to_string();
        let step_error = match error {
            MediaError::ToolMissing { .. } => {
                Self::transient("tool_missing", format!("The worker is not installed completely: {error}."))
            }
            MediaError::Empty => Self::permanent("empty_file", format!("{text}.")),
            MediaError::NotMedia { .. } => {
                Self::permanent("not_media", format!("{text}. Check that the file plays in a media player."))
            }
            MediaError::NoAudioTrack => Self::permanent("no_audio_track", format!("{text}.")),
            MediaError::UnknownTrack { .. } => Self::permanent("unknown_audio_track", format!("{text}.")),
            MediaError::NoSound => Self::permanent("empty_audio", format!("{text}.")),
            MediaError::Protected => Self::permanent("drm_protected", format!("{text}.")),
            MediaError::TooLong { .. } => Self::permanent("too_long", format!("{text}.")),
            MediaError::IndexMissing => {
                Self::permanent("truncated_media", format!("{text}. Send it again from the original."))
            }
            MediaError::Undecodable { .. } => Self::permanent(
                "truncated_media",
                format!("{text}. The file seems truncated or corrupt: send it again from the original."),
            ),
            MediaError::Incomplete { .. } => {
                Self::transient("audio_corrupt", format!("{text}. Submit the media again."))
            }
            MediaError::ToolFailed { .. } => {
                Self::transient("tool_failed", format!("{text}. The step is tried again."))
            }
            MediaError::Unreadable { .. } | MediaError::Io(_) => {
                Self::unavailable("disk_unavailable", "The worker could not use its disk. The step is tried again.")
            }
        };
        step_error.because(reason)
    }
}

/// An error's text as the beginning of a sentence.
pub(crate) fn sentence(error: &dyn Display) -> String {
    let text = error.to_string();
    let mut chars = text.trim_end_matches('.').chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_client_reads_what_to_do_and_the_operator_why() {
        let io = |text: &str| io::Error::other(text.to_owned());
        let path = "/srv/yt/work/download-4711-a1/media".into();
        for error in [
            StepError::disk(&io("mkdir /srv/yt/work/download-4711-a1: Permission denied")),
            BlobError::Unreachable { hint: "http://10.1.2.3:3900 does not answer; see /srv/yt (4711)".to_owned() }
                .into(),
            BlobError::Io(io("/srv/yt/blobs: 10.1.2.3, 4711")).into(),
            MediaError::Unreadable { path, source: io("10.1.2.3") }.into(),
            MediaError::Undecodable {
                detail: "/srv/yt/work/download-4711-a1/upload: 10.1.2.3: Invalid data".to_owned(),
            }
            .into(),
            StepError::result_unstorable(&"10.1.2.3 refused INSERT of process 4711 at /srv/yt"),
        ] {
            let StepError { failure, reason, .. } = &error;
            for internal in ["/srv", "4711", "10.1.2.3"] {
                assert!(!failure.message.contains(internal), "{failure:?}");
            }
            assert!(
                reason.as_ref().is_some_and(|reason| reason.contains("10.1.2.3") || reason.contains("/srv")),
                "{error:?}"
            );
        }
    }
}
