//! Hearing which language is spoken, without writing it down.

use super::Transcriber;
use super::run::windows_of;
use crate::decode::{self, Window};
use crate::error::TranscribeError;
use crate::options::TranscribeOptions;

impl Transcriber {
    /// The language that is likeliest over all `pieces` of a recording (16 kHz mono samples), each heard where most is
    /// said in it; `None` if nobody speaks in any. The same pieces give the same answer. Blocks.
    pub fn detect_language(
        &self,
        pieces: &[Vec<f32>],
        options: &TranscribeOptions,
    ) -> Result<Option<String>, TranscribeError> {
        let model = &self.inner.model;
        // A model that knows one language hears no other.
        if let Some(only) = decode::resolve_language(model, None)? {
            return Ok(Some(only));
        }
        // The clips count from the beginning of the recording, which the pieces do not.
        let options = &TranscribeOptions { clip_timestamps: None, ..options.clone() };
        let longest_s = self.longest_s(options);
        let windows: Vec<Window> = pieces
            .iter()
            .filter_map(|pcm| {
                let windows = windows_of(pcm, options, u64::from(longest_s) * 1000).into_iter();
                let said = |speech: &[crate::Span]| speech.iter().map(|span| span.length_ms()).sum::<u64>();
                let fullest = windows.max_by_key(|window| said(&window.speech))?;
                Some(Window::cut(pcm, fullest.span, fullest.speech))
            })
            .collect();
        if windows.is_empty() {
            return Ok(None);
        }
        decode::hear_language(model, &self.inner.extractor, &self.context(options, longest_s)?, windows).map(Some)
    }
}
