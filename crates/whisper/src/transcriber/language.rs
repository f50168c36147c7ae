//! Detecting the spoken language without transcribing.

use ytcaption_domain::Span;

use super::Transcriber;
use super::run::find_windows;
use crate::decode::{self, Window};
use crate::error::TranscribeError;
use crate::options::TranscribeOptions;

impl Transcriber {
    /// The language that is likeliest over all `pieces` of a file (16 kHz mono samples, ±1), each at its window with most
    /// speech; `None` if none has speech. The same pieces give the same result. Blocks.
    ///
    /// # Errors
    /// An option has an invalid value, or CTranslate2 fails.
    pub fn detect_language(
        &self,
        pieces: &[Vec<f32>],
        options: &TranscribeOptions,
    ) -> Result<Option<String>, TranscribeError> {
        let model = &self.inner.model;
        // A model that knows one language detects no other.
        if let Some(only) = model.resolve_language(None)? {
            return Ok(Some(only));
        }
        // The clips count from the beginning of the file, which the pieces do not.
        let options = &TranscribeOptions { clip_timestamps: None, ..options.clone() };
        let max_window_s = self.max_window_s(options);
        let max_ms = u64::from(max_window_s) * 1000;
        let windows: Vec<Window> = pieces
            .iter()
            .filter_map(|pcm| {
                let candidates = find_windows(pcm, options, max_ms).into_iter();
                let speech_ms = |speech: &[Span]| speech.iter().map(|span| span.length_ms()).sum::<u64>();
                let fullest = candidates.max_by_key(|window| speech_ms(&window.speech))?;
                Some(Window::cut(pcm, fullest.span, fullest.speech))
            })
            .collect();
        if windows.is_empty() {
            return Ok(None);
        }
        decode::detect_language(model, &self.inner.extractor, &self.context(options, max_window_s)?, windows).map(Some)
    }
}
