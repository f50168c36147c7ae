//! Aligning the written text with the audio.

use ytcaption_domain::captions::Word;
use ytcaption_models::START_OF_TRANSCRIPT;

use super::EncodedBatch;
use crate::decode::timestamps::RawSegment;
use crate::decode::words;
use crate::error::TranscribeError;
use crate::features::HOP;
use crate::tokenizer::task_token;

/// Attention is smoothed over this many frames before the path through it is computed (faster-whisper's value).
const MEDIAN_FILTER_WIDTH: i64 = 7;

impl EncodedBatch<'_> {
    /// The words of every segment of every window; none if the model cannot align.
    pub(super) fn align(
        &self,
        language: &str,
        written: &[Vec<RawSegment>],
    ) -> Result<Vec<Vec<Vec<Word>>>, TranscribeError> {
        let mut words: Vec<Vec<Vec<Word>>> = written.iter().map(|segments| vec![Vec::new(); segments.len()]).collect();
        let with_text: Vec<usize> = (0..written.len()).filter(|i| !written[*i].is_empty()).collect();
        if with_text.is_empty() || !self.model.can_align {
            return Ok(words);
        }
        let tokens: Vec<Vec<usize>> = with_text
            .iter()
            .map(|i| written[*i].iter().flat_map(|segment| segment.tokens.iter().copied()).collect())
            .collect();
        let frames: Vec<usize> =
            with_text.iter().map(|i| (self.windows[*i].samples.len() / HOP).clamp(1, self.context.frames)).collect();
        let start = self.alignment_prompt(language);
        let aligned = self
            .encoded
            .with(&with_text, |view| self.engine.align(view, &start, &tokens, &frames, MEDIAN_FILTER_WIDTH))?;
        for (i, alignment) in with_text.into_iter().zip(&aligned) {
            let offset_ms = self.windows[i].span.start_ms;
            words[i] = words::from_alignment(alignment, &written[i], offset_ms, &self.model.tokenizer, language);
        }
        Ok(words)
    }

    /// The tokens before the text, as CTranslate2's `align` takes them.
    fn alignment_prompt(&self, language: &str) -> Vec<usize> {
        let vocabulary = &self.model.tokenizer.vocabulary;
        let mut start = vec![vocabulary.start_of_transcript()];
        if self.model.multilingual {
            start.extend(vocabulary.id(&format!("<|{language}|>")));
            start.extend(vocabulary.id(task_token(self.context.options.task)));
        }
        debug_assert_eq!(vocabulary.token(start[0]), START_OF_TRANSCRIPT);
        start
    }
}
