//! Which language is spoken.

use super::round::Round;
use crate::error::TranscribeError;
use crate::timing::{Step, measured};
use ytcaption_models::language_code;

/// The likeliest language over the first `windows` windows.
pub(super) fn hear(round: &Round<'_>, windows: usize) -> Result<String, TranscribeError> {
    let all: Vec<usize> = (0..round.windows.len()).collect();
    let heard = measured(Step::Language, || round.encoded.with(&all, |view| round.engine.detect_language(view)))?;
    let mean = |code: &String| {
        let found = heard
            .iter()
            .take(windows)
            .flat_map(|window| window.found.iter().filter(|found| language_code(&found.token) == Some(code)));
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
