//! Why audio was not transcribed.

use ytcaption_media::MediaError;
use ytcaption_media::vad::InvalidVadOption;

/// Samples were not transcribed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TranscribeError {
    /// The model does not know the language.
    #[error("the model does not know the language `{requested}`; it knows {known} (or `auto`)")]
    UnknownLanguage {
        /// The requested code.
        requested: String,
        /// The codes that the model knows, separated by commas.
        known: String,
    },
    /// The model knows only English, or was not trained to translate.
    #[error("the model cannot translate: request a multilingual one, or the task `transcribe`")]
    CannotTranslate,
    /// An option has an invalid value.
    #[error("the option `{option}` {reason}")]
    InvalidOption {
        /// Its name, such as `beam_size`.
        option: &'static str,
        /// Its range, such as `must be between 1 and 64`.
        reason: &'static str,
    },
    /// The caller cancelled.
    #[error("the transcription was cancelled")]
    Cancelled,
    /// CTranslate2 failed.
    #[error("the speech model failed: {reason}")]
    Engine {
        /// Its error message.
        reason: String,
    },
}

impl TranscribeError {
    pub(crate) fn engine(error: impl std::fmt::Display) -> Self {
        Self::Engine { reason: error.to_string() }
    }

    /// Whether the same request would fail again: then a retry is of no use.
    pub fn is_permanent(&self) -> bool {
        matches!(self, Self::UnknownLanguage { .. } | Self::CannotTranslate | Self::InvalidOption { .. })
    }
}

impl From<InvalidVadOption> for TranscribeError {
    fn from(InvalidVadOption { option, reason }: InvalidVadOption) -> Self {
        Self::InvalidOption { option, reason }
    }
}

/// A file was not transcribed.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// The model or the options.
    #[error(transparent)]
    Transcribe(#[from] TranscribeError),
}
