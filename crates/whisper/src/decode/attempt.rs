//! One text for a window, and whether to believe it.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::round::Round;
use crate::engine::{Search, View};
use crate::error::TranscribeError;
use crate::model::Model;
use crate::options::TranscribeOptions;
use ytcaption_models::TIMESTAMP_STEP_MS;

/// Longest sequence of Whisper's decoder, prompt included.
const MAX_LENGTH: usize = 448;

/// What the model wrote for one window at one temperature.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    /// Text and timestamp tokens.
    pub(crate) tokens: Vec<usize>,
    pub(crate) avg_logprob: f32,
    pub(crate) no_speech_prob: f32,
    pub(crate) compression_ratio: f32,
    pub(crate) temperature: f32,
}

impl Attempt {
    pub(super) fn text_tokens(&self, model: &Model) -> Vec<usize> {
        self.tokens.iter().copied().filter(|id| model.tokenizer.vocabulary.is_text(*id)).collect()
    }

    /// Whisper's rule: the model thinks nobody speaks, and is not sure of what it wrote either.
    pub(super) fn is_silence(&self, options: &TranscribeOptions) -> bool {
        options.no_speech_threshold.is_some_and(|threshold| self.no_speech_prob > threshold)
            && options.log_prob_threshold.is_none_or(|threshold| self.avg_logprob <= threshold)
    }

    fn is_loop(&self, options: &TranscribeOptions) -> bool {
        options.compression_ratio_threshold.is_some_and(|most| self.compression_ratio > most)
    }

    fn is_guess(&self, options: &TranscribeOptions) -> bool {
        options.log_prob_threshold.is_some_and(|least| self.avg_logprob < least)
    }
}

/// The attempts at one window, after faster-whisper's `generate_with_fallback`.
#[derive(Debug, Default)]
pub(super) struct Judgement {
    accepted: Option<Attempt>,
    guesses: Vec<Attempt>,
    loops: Vec<Attempt>,
}

impl Judgement {
    pub(super) fn is_settled(&self) -> bool {
        self.accepted.is_some()
    }

    pub(super) fn add(&mut self, attempt: Attempt, options: &TranscribeOptions) {
        let (is_loop, is_guess) = (attempt.is_loop(options), attempt.is_guess(options));
        if attempt.is_silence(options) || !(is_loop || is_guess) {
            self.accepted = Some(attempt);
        } else if is_loop {
            self.loops.push(attempt);
        } else {
            self.guesses.push(attempt);
        }
    }

    /// The accepted attempt, else the likeliest that is no loop, else the likeliest.
    pub(super) fn verdict(self) -> Attempt {
        let candidates = if self.guesses.is_empty() { self.loops } else { self.guesses };
        self.accepted
            .or_else(|| candidates.into_iter().max_by(|a, b| a.avg_logprob.total_cmp(&b.avg_logprob)))
            .unwrap_or(Attempt {
                tokens: Vec::new(),
                avg_logprob: 0.0,
                no_speech_prob: 1.0,
                compression_ratio: 0.0,
                temperature: 0.0,
            })
    }
}

/// Decodes `windows` windows at one temperature.
pub(super) fn generate(
    round: &Round<'_>,
    encoded: &View<'_>,
    windows: usize,
    prompt: &[usize],
    temperature: f32,
) -> Result<Vec<Attempt>, TranscribeError> {
    let context = round.context;
    let options = &context.options;
    let sampling = temperature > 0.0;
    let steps = f64::from(options.max_initial_timestamp) * 1000.0 / TIMESTAMP_STEP_MS as f64;
    let search = Search {
        beam_size: if sampling { 1 } else { options.beam_size },
        patience: if sampling { 1.0 } else { options.patience },
        length_penalty: options.length_penalty,
        repetition_penalty: options.repetition_penalty,
        no_repeat_ngram_size: options.no_repeat_ngram_size,
        max_length: max_length(options.max_new_tokens, prompt.len()),
        // 0: the whole distribution. At temperature 0 the search decides.
        sampling_topk: usize::from(!sampling),
        sampling_temperature: if sampling { temperature } else { 1.0 },
        num_hypotheses: if sampling { options.best_of } else { 1 },
        max_initial_timestamp_index: steps.round() as usize,
        suppress_blank: options.suppress_blank,
        suppress_tokens: context.suppress_tokens.clone(),
    };
    let results = round.engine.generate(encoded, windows, prompt, &search)?;
    if results.len() != windows {
        return Err(TranscribeError::Engine {
            reason: format!("{windows} windows were sent and {} came back", results.len()),
        });
    }
    Ok(results
        .into_iter()
        .map(|result| {
            let tokens = result.tokens;
            // The score is the sum over the tokens divided by length^penalty; the mean counts the end too.
            let length = tokens.len() as f32;
            let sum = result.score * length.powf(options.length_penalty);
            Attempt {
                avg_logprob: sum / (length + 1.0),
                no_speech_prob: result.no_speech_prob,
                compression_ratio: compression_ratio(round.model.tokenizer.text(&tokens).trim()),
                temperature,
                tokens,
            }
        })
        .collect())
}

/// CTranslate2's `max_length`, of which it takes half, or what the prompt leaves, whichever is less.
fn max_length(max_new_tokens: Option<usize>, prompt: usize) -> usize {
    max_new_tokens.map_or(MAX_LENGTH, |most| (2 * most).max(prompt.saturating_sub(1) + most).min(MAX_LENGTH))
}

/// Length of the text over its length when compressed by zlib: loops compress well.
fn compression_ratio(text: &str) -> f32 {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    let compressed =
        encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish()).expect("writing into memory does not fail");
    text.len() as f32 / compressed.len() as f32
}

#[cfg(test)]
mod tests;
