//! Which language is spoken.

use super::round::Round;
use crate::error::TranscribeError;
use crate::model::Model;
use crate::timing::{Step, measured};
use crate::tokenizer::language_of;

/// The language of a model that knows only one.
const ENGLISH: &str = "en";

/// Whether the language is to be heard.
pub(crate) fn is_open(asked: Option<&str>) -> bool {
    asked.is_none_or(|code| matches!(code.trim().to_lowercase().as_str(), "" | "auto"))
}

/// The code asked for, as the model spells it; `None` means that it is to be heard.
///
/// An unknown code has to be caught here: CTranslate2 takes an unknown token for the end of the text.
pub(crate) fn resolve(model: &Model, asked: Option<&str>) -> Result<Option<String>, TranscribeError> {
    let code = asked.filter(|_| !is_open(asked)).map(|code| code.trim().to_lowercase().replace('_', "-"));
    if !model.is_multilingual() {
        return match code {
            Some(code) if base(&code) != ENGLISH => {
                Err(TranscribeError::UnknownLanguage { asked: code, known: ENGLISH.to_owned() })
            }
            _ => Ok(Some(ENGLISH.to_owned())),
        };
    }
    let Some(code) = code else { return Ok(None) };
    let known = |code: &str| model.languages.iter().find(|known| *known == code).cloned();
    // `pt-BR` is Portuguese to Whisper.
    known(&code)
        .or_else(|| known(base(&code)))
        .map(Some)
        .ok_or_else(|| TranscribeError::UnknownLanguage { asked: code, known: model.languages.join(", ") })
}

fn base(code: &str) -> &str {
    code.split('-').next().unwrap_or(code)
}

/// The likeliest language over the first `windows` windows.
pub(super) fn hear(round: &Round<'_>, windows: usize) -> Result<String, TranscribeError> {
    let all: Vec<usize> = (0..round.windows.len()).collect();
    let heard = measured(Step::Language, || round.encoded.with(&all, |view| round.engine.detect_language(view)))?;
    let mean = |code: &String| {
        let found = heard
            .iter()
            .take(windows)
            .flat_map(|window| window.found.iter().filter(|found| language_of(&found.token) == Some(code)));
        found.map(|found| found.probability).sum::<f32>()
    };
    round
        .model
        .languages
        .iter()
        .max_by(|a, b| mean(a).total_cmp(&mean(b)))
        .cloned()
        .ok_or_else(|| TranscribeError::Engine { reason: "the model names no language".to_owned() })
}
