//! Writing the text of each window, after faster-whisper's `generate_with_fallback`.

use ytcaption_models::{NO_TIMESTAMPS, TIMESTAMP_STEP_MS};

use super::EncodedBatch;
use crate::decode::hypothesis::{FallbackDecision, Hypothesis};
use crate::engine::{Search, View};
use crate::error::TranscribeError;
use crate::timing::{Step, measured};
use crate::tokenizer::{START_OF_PREVIOUS, task_token};

/// Longest sequence of Whisper's decoder in tokens, prompt included.
const MAX_LENGTH: usize = 448;

impl EncodedBatch<'_> {
    /// The best hypothesis for each window: higher temperatures are tried where the thresholds reject the first.
    pub(in crate::decode) fn generate(
        &self,
        language: &str,
        previous: &[usize],
        prefix: &[usize],
    ) -> Result<Vec<Hypothesis>, TranscribeError> {
        let prompt = self.prompt(language, previous, prefix)?;
        let options = &self.context.options;
        let mut decisions: Vec<FallbackDecision> = self.windows.iter().map(|_| FallbackDecision::default()).collect();
        for &temperature in &options.temperature {
            let open: Vec<usize> = (0..decisions.len()).filter(|i| !decisions[*i].is_settled()).collect();
            if open.is_empty() {
                break;
            }
            self.context.check_cancelled()?;
            let hypotheses = measured(Step::Decoder, || {
                self.encoded.with(&open, |view| self.generate_at(temperature, view, open.len(), &prompt))
            })?;
            for (i, hypothesis) in open.into_iter().zip(hypotheses) {
                decisions[i].add(hypothesis, options);
            }
        }
        Ok(decisions.into_iter().map(FallbackDecision::into_best).collect())
    }

    /// The tokens before the transcript.
    fn prompt(&self, language: &str, previous: &[usize], prefix: &[usize]) -> Result<Vec<usize>, TranscribeError> {
        let vocabulary = &self.model.tokenizer.vocabulary;
        let special = |token: &str| {
            let missing = || TranscribeError::engine(format!("the model's vocabulary has no {token}"));
            vocabulary.id(token).ok_or_else(missing)
        };
        let mut prompt = Vec::new();
        let before = self.context.before(previous, prefix);
        if !before.is_empty() {
            prompt.push(special(START_OF_PREVIOUS)?);
            prompt.extend(before);
        }
        prompt.push(vocabulary.start_of_transcript());
        if self.model.multilingual {
            prompt.push(special(&format!("<|{language}|>"))?);
            prompt.push(special(task_token(self.context.options.task))?);
        }
        if self.context.options.without_timestamps {
            prompt.push(special(NO_TIMESTAMPS)?);
        } else if !prefix.is_empty() {
            prompt.push(vocabulary.timestamp_begin());
        }
        prompt.extend(prefix);
        Ok(prompt)
    }

    /// One hypothesis for each of the `windows` windows in `encoded`.
    fn generate_at(
        &self,
        temperature: f32,
        encoded: &View<'_>,
        windows: usize,
        prompt: &[usize],
    ) -> Result<Vec<Hypothesis>, TranscribeError> {
        let results = self.engine.generate(encoded, windows, prompt, &self.search(temperature, prompt.len()))?;
        if results.len() != windows {
            return Err(TranscribeError::Engine {
                reason: format!("{windows} windows were sent and {} came back", results.len()),
            });
        }
        let length_penalty = self.context.options.length_penalty;
        let hypothesis = |result| Hypothesis::new(result, temperature, length_penalty, &self.model.tokenizer);
        Ok(results.into_iter().map(hypothesis).collect())
    }

    fn search(&self, temperature: f32, prompt_length: usize) -> Search {
        let options = &self.context.options;
        let sampling = temperature > 0.0;
        let steps = f64::from(options.max_initial_timestamp) * 1000.0 / TIMESTAMP_STEP_MS as f64;
        Search {
            beam_size: if sampling { 1 } else { options.beam_size },
            patience: if sampling { 1.0 } else { options.patience },
            length_penalty: options.length_penalty,
            repetition_penalty: options.repetition_penalty,
            no_repeat_ngram_size: options.no_repeat_ngram_size,
            max_length: max_length(options.max_new_tokens, prompt_length),
            // 0: the whole distribution. At temperature 0 the beam search decides.
            sampling_topk: usize::from(!sampling),
            sampling_temperature: if sampling { temperature } else { 1.0 },
            num_hypotheses: if sampling { options.best_of } else { 1 },
            max_initial_timestamp_index: steps.round() as usize,
            suppress_blank: options.suppress_blank,
            suppress_tokens: self.context.suppress_tokens.clone(),
        }
    }
}

/// CTranslate2's `max_length`, of which it takes half, or what the prompt leaves, whichever is less.
fn max_length(max_new_tokens: Option<usize>, prompt_length: usize) -> usize {
    max_new_tokens.map_or(MAX_LENGTH, |limit| (2 * limit).max(prompt_length.saturating_sub(1) + limit).min(MAX_LENGTH))
}
