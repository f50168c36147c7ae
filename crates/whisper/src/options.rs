//! The options of a transcription. Names and defaults are faster-whisper's, so that its users find what they know; where
//! a default differs, the field says why.

use serde::{Deserialize, Serialize};
use ytcaption_domain::job::Task;
use ytcaption_media::vad::VadOptions;

use crate::{TranscribeError, clips};

/// Upper bound of everything computed side by side: memory grows with it.
const MAX_PARALLEL: usize = 64;

/// Half of the decoder's positions: the other half is for the prompt.
const MAX_NEW_TOKENS: usize = 224;

/// Options of one transcription.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own, with faster-whisper's name")]
pub struct TranscribeOptions {
    /// ISO 639-1 code of the spoken language; `None` (or `auto`) lets the model detect it.
    pub language: Option<String>,
    /// Write what is spoken, or its English translation.
    pub task: Task,
    /// Hypotheses kept by the beam search at temperature 0; 1 to 64.
    pub beam_size: usize,
    /// Samples drawn at a temperature above 0, of which the likeliest is taken; 1 to 64.
    pub best_of: usize,
    /// The search ends when `beam_size` × `patience` hypotheses are complete; above 0.
    pub patience: f32,
    /// Exponent of the length by which a hypothesis' score is divided.
    pub length_penalty: f32,
    /// Above 1 makes tokens less likely that were written before.
    pub repetition_penalty: f32,
    /// Word groups of this length are not written twice in a window; 0 allows them.
    pub no_repeat_ngram_size: usize,
    /// Temperatures tried in turn while a threshold rejects the result; each 0 to 2, at least one.
    pub temperature: Vec<f32>,
    /// Text with a compression ratio (length over zlib-compressed length) above this is a loop: try the next temperature.
    pub compression_ratio_threshold: Option<f32>,
    /// Text with a mean log-probability of its tokens below this is a guess: try the next temperature.
    pub log_prob_threshold: Option<f32>,
    /// With a no-speech probability above this, and a guess for text, the window is silence: write nothing.
    pub no_speech_threshold: Option<f32>,
    /// Give the model the text before as prompt. faster-whisper's default is `true`; ours is not: one
    /// mistake then repeats itself (the demo model looped: 103 % word errors), and windows that depend
    /// on one another can neither be decoded as a batch nor on several machines.
    pub condition_on_previous_text: bool,
    /// Text as if it had been said before, for names and style; given to every window. Needs the model's
    /// `tokenizer.json`.
    pub initial_prompt: Option<String>,
    /// Text that the first window begins with, whatever is spoken; hotwords have no effect in it. Needs the model's
    /// `tokenizer.json`.
    pub prefix: Option<String>,
    /// Words to expect, put before the prompt. Needs the model's `tokenizer.json`.
    pub hotwords: Option<String>,
    /// Never begin a window with a blank.
    pub suppress_blank: bool,
    /// Ids of tokens that are never written; −1 means all symbols that are not speech.
    pub suppress_tokens: Vec<i32>,
    /// The first timestamp of a window is at most this, in seconds.
    pub max_initial_timestamp: f32,
    /// Write no timestamp tokens: quicker, but a segment is then a whole window, and the model skips more.
    pub without_timestamps: bool,
    /// Most tokens written for one window, 1 to 224; `None` takes 224, Whisper's maximum.
    pub max_new_tokens: Option<usize>,
    /// Find the time of each word too.
    pub word_timestamps: bool,
    /// Text whose words look hallucinated, with silence of more than this many seconds (0 to 30) around it, is dropped,
    /// and what follows is decoded again. It has no effect without `word_timestamps`.
    pub hallucination_silence_threshold: Option<f32>,
    /// Send only speech to the model. faster-whisper's default is `false`; ours is not, because windows
    /// are cut at the pauses found on the way, and nothing is hallucinated over silence.
    pub vad_filter: bool,
    /// Settings of the speech detector.
    pub vad_parameters: VadOptions,
    /// Only these parts of the media: start, end, start, end, … in seconds, ascending; a last start without an end
    /// goes on to the end of the media. `None` takes all of it. Unlike in faster-whisper, the speech detector works
    /// within them. The language is detected from the whole media.
    pub clip_timestamps: Option<Vec<f32>>,
    /// Windows decoded together, 1 to 64; `None` takes 2, or 1 where the decoder keeps very much of a window. faster-whisper's
    /// batched pipeline takes 8; on a processor that is not faster, and takes several times the memory.
    pub batch_size: Option<usize>,
    /// Longest window in seconds, 1 to 30; `None` takes the model's own, 30.
    pub chunk_length: Option<u32>,
    /// Windows the language is detected from. faster-whisper's default is 1; a first window is often a
    /// jingle or a greeting, and the others come almost free with the batch.
    pub language_detection_segments: usize,
}

impl Default for TranscribeOptions {
    fn default() -> Self {
        Self {
            language: None,
            task: Task::default(),
            beam_size: 5,
            best_of: 5,
            patience: 1.0,
            length_penalty: 1.0,
            repetition_penalty: 1.0,
            no_repeat_ngram_size: 0,
            temperature: vec![0.0, 0.2, 0.4, 0.6, 0.8, 1.0],
            compression_ratio_threshold: Some(2.4),
            log_prob_threshold: Some(-1.0),
            no_speech_threshold: Some(0.6),
            condition_on_previous_text: false,
            initial_prompt: None,
            prefix: None,
            hotwords: None,
            suppress_blank: true,
            suppress_tokens: vec![-1],
            max_initial_timestamp: 1.0,
            without_timestamps: false,
            max_new_tokens: None,
            word_timestamps: false,
            hallucination_silence_threshold: None,
            vad_filter: true,
            vad_parameters: VadOptions::default(),
            clip_timestamps: None,
            batch_size: None,
            chunk_length: None,
            language_detection_segments: 4,
        }
    }
}

impl TranscribeOptions {
    /// Fails for values that would make CTranslate2 fail or never end.
    pub(crate) fn check(&self) -> Result<(), TranscribeError> {
        let invalid = |option, reason| Err(TranscribeError::InvalidOption { option, reason });
        let positive = |number: f32| number.is_finite() && number > 0.0;
        if !(1..=MAX_PARALLEL).contains(&self.beam_size) {
            invalid("beam_size", "must be between 1 and 64")
        } else if !(1..=MAX_PARALLEL).contains(&self.best_of) {
            invalid("best_of", "must be between 1 and 64")
        } else if self.batch_size.is_some_and(|size| !(1..=MAX_PARALLEL).contains(&size)) {
            invalid("batch_size", "must be between 1 and 64")
        } else if !positive(self.patience) {
            invalid("patience", "must be above 0")
        } else if !positive(self.repetition_penalty) {
            invalid("repetition_penalty", "must be above 0")
        } else if !self.length_penalty.is_finite() {
            invalid("length_penalty", "must be a number")
        } else if self.temperature.is_empty() {
            invalid("temperature", "must name at least one temperature")
        } else if self.temperature.iter().any(|t| !(0.0..=2.0).contains(t)) {
            invalid("temperature", "must be between 0 and 2")
        } else if !(0.0..=30.0).contains(&self.max_initial_timestamp) {
            invalid("max_initial_timestamp", "must be between 0 and 30 seconds")
        } else if self.max_new_tokens.is_some_and(|most| !(1..=MAX_NEW_TOKENS).contains(&most)) {
            invalid("max_new_tokens", "must be between 1 and 224")
        } else if self.hallucination_silence_threshold.is_some_and(|seconds| !(0.0..=30.0).contains(&seconds)) {
            invalid("hallucination_silence_threshold", "must be between 0 and 30 seconds")
        } else if self.clip_timestamps.as_ref().is_some_and(|times| !clips::are_valid(times)) {
            invalid("clip_timestamps", "must be seconds from 0 on, each later than the one before")
        } else if self.chunk_length.is_some_and(|seconds| !(1..=30).contains(&seconds)) {
            invalid("chunk_length", "must be between 1 and 30 seconds")
        } else {
            Ok(self.vad_parameters.check()?)
        }
    }
}
