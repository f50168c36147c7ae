//! Why a transcription did not come about.

/// Why a transcription did not come about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TranscribeError {
    /// The model does not know the language.
    #[error("the model does not know the language `{asked}`; it knows {known} (or `auto`)")]
    UnknownLanguage {
        /// What was asked for.
        asked: String,
        /// What there is, separated by commas.
        known: String,
    },
    /// The model knows only English, or was never taught to translate.
    #[error("the model cannot translate: ask for a multilingual one, or for the task `transcribe`")]
    CannotTranslate,
    /// An option has a value that cannot be.
    #[error("the option `{option}` {reason}")]
    BadOption {
        /// Its name.
        option: &'static str,
        /// What it should be.
        reason: &'static str,
    },
    /// The caller asked to stop.
    #[error("the transcription was cancelled")]
    Cancelled,
    /// CTranslate2 failed.
    #[error("the speech model failed: {reason}")]
    Engine {
        /// Its own words.
        reason: String,
    },
}

impl TranscribeError {
    pub(crate) fn engine(error: impl std::fmt::Display) -> Self {
        Self::Engine { reason: error.to_string() }
    }

    /// Whether the same request would fail again: then trying once more is of no use.
    pub fn is_permanent(&self) -> bool {
        matches!(self, Self::UnknownLanguage { .. } | Self::CannotTranslate | Self::BadOption { .. })
    }
}
