//! Detecting the spoken language.

use ytcaption_models::language_code;

use super::EncodedBatch;
use crate::error::TranscribeError;
use crate::timing::{Step, measured};

impl EncodedBatch<'_> {
    /// The likeliest language over the first `windows` windows.
    pub(in crate::decode) fn detect_language(&self, windows: usize) -> Result<String, TranscribeError> {
        let all: Vec<usize> = (0..self.windows.len()).collect();
        let detected = measured(Step::Language, || self.encoded.with(&all, |view| self.engine.detect_language(view)))?;
        let sum = |code: &String| {
            let matching = detected
                .iter()
                .take(windows)
                .flat_map(|window| window.languages.iter().filter(|found| language_code(&found.token) == Some(code)));
            matching.map(|found| found.probability).sum::<f32>()
        };
        self.model
            .languages
            .iter()
            .max_by(|a, b| sum(a).total_cmp(&sum(b)))
            .cloned()
            .ok_or_else(|| TranscribeError::Engine { reason: "the model has no language token".to_owned() })
    }
}
