//! Segments of recognised speech. All times are integer milliseconds from the start of the media.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An interval of speech with its text, as the model produced it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct Segment {
    /// When the speech begins, in milliseconds.
    #[schema(example = 1_250)]
    pub start_ms: u64,
    /// When the speech ends, in milliseconds; never before `start_ms`.
    #[schema(example = 3_900)]
    pub end_ms: u64,
    /// The text, trimmed, never empty.
    #[schema(example = "Captions begin with a voice.")]
    pub text: String,
    /// Mean log-probability of the tokens: nearer to zero is more certain, never above it.
    #[schema(example = -0.21)]
    pub avg_logprob: f32,
    /// The model's probability that there is no speech, 0 to 1.
    #[schema(example = 0.02)]
    pub no_speech_prob: f32,
    /// Length of the text over its zlib-compressed length; high means repetition.
    #[schema(example = 1.3)]
    pub compression_ratio: f32,
    /// Sampling temperature that produced the text; 0 is greedy or beam search.
    #[schema(example = 0.0)]
    pub temperature: f32,
    /// Its words with their times; empty unless they were requested.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<Word>,
}

/// One word with its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct Word {
    /// When the word begins, in milliseconds.
    #[schema(example = 1_250)]
    pub start_ms: u64,
    /// When the word ends, in milliseconds.
    #[schema(example = 1_610)]
    pub end_ms: u64,
    /// The word with its leading space and its punctuation, as the model produced it.
    #[schema(example = " Captions")]
    pub text: String,
    /// Mean probability of the word's tokens, 0 to 1.
    #[schema(example = 0.97)]
    pub probability: f32,
}

/// Language of media without speech when none was requested (ISO 639-2 "undetermined").
pub const UNDETERMINED: &str = "und";

/// The text of whole media.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Transcript {
    /// ISO 639-1 code of the spoken language, or `und` ([`UNDETERMINED`]).
    #[schema(example = "en")]
    pub language: String,
    /// Length of the media in milliseconds.
    #[schema(example = 93_500)]
    pub duration_ms: u64,
    /// The segments, in the order of time.
    pub segments: Vec<Segment>,
}
