//! A hypothesis for the text of a window, and whether to accept it.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use ytcaption_models::Vocabulary;

use crate::engine::Generation;
use crate::options::TranscribeOptions;
use crate::tokenizer::Tokenizer;

/// What the model wrote for one window at one temperature.
#[derive(Debug, Clone)]
pub(super) struct Hypothesis {
    /// Text and timestamp tokens.
    pub(super) tokens: Vec<usize>,
    /// Mean natural logarithm of the tokens' probabilities, the end of text included: at most 0, near 0 is sure.
    pub(super) avg_logprob: f32,
    /// Probability that the window has no speech, 0 to 1.
    pub(super) no_speech_prob: f32,
    /// Length of the text over its zlib-compressed length; speech is below 2.4, loops are above. 0 for empty text.
    pub(super) compression_ratio: f32,
    /// Sampling temperature, 0 to 2; 0 is beam search.
    pub(super) temperature: f32,
}

impl Hypothesis {
    pub(super) fn new(result: Generation, temperature: f32, length_penalty: f32, tokenizer: &Tokenizer) -> Self {
        let tokens = result.tokens;
        // The score is the sum over the tokens divided by length^penalty; the mean counts the end too.
        let length = tokens.len() as f32;
        let sum = result.score * length.powf(length_penalty);
        Self {
            avg_logprob: sum / (length + 1.0),
            no_speech_prob: result.no_speech_prob,
            compression_ratio: compression_ratio(tokenizer.text(&tokens).trim()),
            temperature,
            tokens,
        }
    }

    /// The tokens without timestamps.
    pub(super) fn text_tokens(&self, vocabulary: &Vocabulary) -> Vec<usize> {
        self.tokens.iter().copied().filter(|id| vocabulary.is_text(*id)).collect()
    }

    /// Whisper's rule: the model finds no speech, and is not sure of what it wrote either.
    pub(super) fn is_silence(&self, options: &TranscribeOptions) -> bool {
        options.no_speech_threshold.is_some_and(|threshold| self.no_speech_prob > threshold)
            && options.log_prob_threshold.is_none_or(|threshold| self.avg_logprob <= threshold)
    }

    fn is_loop(&self, options: &TranscribeOptions) -> bool {
        options.compression_ratio_threshold.is_some_and(|threshold| self.compression_ratio > threshold)
    }

    fn is_guess(&self, options: &TranscribeOptions) -> bool {
        options.log_prob_threshold.is_some_and(|threshold| self.avg_logprob < threshold)
    }
}

/// The hypotheses for one window, and whether another temperature is tried.
#[derive(Debug, Default)]
pub(super) struct FallbackDecision {
    accepted: Option<Hypothesis>,
    guesses: Vec<Hypothesis>,
    loops: Vec<Hypothesis>,
}

impl FallbackDecision {
    /// Whether a hypothesis was accepted.
    pub(super) fn is_settled(&self) -> bool {
        self.accepted.is_some()
    }

    pub(super) fn add(&mut self, hypothesis: Hypothesis, options: &TranscribeOptions) {
        let (is_loop, is_guess) = (hypothesis.is_loop(options), hypothesis.is_guess(options));
        if hypothesis.is_silence(options) || !(is_loop || is_guess) {
            self.accepted = Some(hypothesis);
        } else if is_loop {
            self.loops.push(hypothesis);
        } else {
            self.guesses.push(hypothesis);
        }
    }

    /// The accepted hypothesis, else the likeliest that is not a loop, else the likeliest, else an empty one.
    pub(super) fn into_best(self) -> Hypothesis {
        let candidates = if self.guesses.is_empty() { self.loops } else { self.guesses };
        self.accepted
            .or_else(|| candidates.into_iter().max_by(|a, b| a.avg_logprob.total_cmp(&b.avg_logprob)))
            .unwrap_or(Hypothesis {
                tokens: Vec::new(),
                avg_logprob: 0.0,
                no_speech_prob: 1.0,
                compression_ratio: 0.0,
                temperature: 0.0,
            })
    }
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
