//! The requested language, as the model spells it.

use ytcaption_models::ENGLISH;

use super::Model;
use crate::error::TranscribeError;

/// Whether the language is to be detected: none was requested, or `auto`.
pub(crate) fn is_auto(requested: Option<&str>) -> bool {
    requested.is_none_or(|code| matches!(code.trim().to_lowercase().as_str(), "" | "auto"))
}

impl Model {
    /// The requested code, as the model spells it; `None` means that the language is to be detected.
    ///
    /// An unknown code has to be caught here: CTranslate2 takes an unknown token for the end of the text.
    pub(crate) fn resolve_language(&self, requested: Option<&str>) -> Result<Option<String>, TranscribeError> {
        let code = requested.filter(|_| !is_auto(requested)).map(|code| code.trim().to_lowercase().replace('_', "-"));
        if !self.multilingual {
            return match code {
                Some(code) if base(&code) != ENGLISH => {
                    Err(TranscribeError::UnknownLanguage { requested: code, known: ENGLISH.to_owned() })
                }
                _ => Ok(Some(ENGLISH.to_owned())),
            };
        }
        let Some(code) = code else { return Ok(None) };
        let known = |code: &str| self.languages.iter().find(|known| *known == code).cloned();
        // `pt-BR` is Portuguese to Whisper.
        known(&code)
            .or_else(|| known(base(&code)))
            .map(Some)
            .ok_or_else(|| TranscribeError::UnknownLanguage { requested: code, known: self.languages.join(", ") })
    }
}

fn base(code: &str) -> &str {
    code.split('-').next().unwrap_or(code)
}
