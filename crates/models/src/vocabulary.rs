//! The tokens of a model, as far as their meaning does not depend on the engine.

use std::collections::HashMap;

/// Milliseconds between two timestamp tokens.
pub const TIMESTAMP_STEP_MS: u64 = 20;

/// Begins what the model writes.
pub const START_OF_TRANSCRIPT: &str = "<|startoftranscript|>";
/// Ends the special tokens; the timestamps follow.
pub const NO_TIMESTAMPS: &str = "<|notimestamps|>";

/// The tokens of a Whisper model. A token's id is its index: first text, then special tokens, then timestamps.
#[derive(Debug, Clone)]
pub struct Vocabulary {
    tokens: Vec<String>,
    ids: HashMap<String, usize>,
    /// First token that is not text.
    end_of_text: usize,
    start_of_transcript: usize,
    /// Token of 0.00 s; all after it are timestamps too.
    timestamp_begin: usize,
}

impl Vocabulary {
    /// The vocabulary whose token `tokens[id]` has the number `id`.
    ///
    /// # Errors
    /// The name of the token that every Whisper vocabulary has and this one lacks.
    pub fn new(tokens: Vec<String>) -> Result<Self, &'static str> {
        let ids: HashMap<String, usize> = tokens.iter().enumerate().map(|(id, token)| (token.clone(), id)).collect();
        let id = |token: &'static str| ids.get(token).copied().ok_or(token);
        let end_of_text = id("<|endoftext|>")?;
        let start_of_transcript = id(START_OF_TRANSCRIPT)?;
        let timestamp_begin = id(NO_TIMESTAMPS)? + 1;
        if timestamp_begin >= tokens.len() {
            return Err("<|0.00|>");
        }
        Ok(Self { tokens, ids, end_of_text, start_of_transcript, timestamp_begin })
    }

    /// The id of a token; `None` if the vocabulary lacks it.
    pub fn id(&self, token: &str) -> Option<usize> {
        self.ids.get(token).copied()
    }

    /// The token of an id; empty for an id past the last.
    pub fn token(&self, id: usize) -> &str {
        self.tokens.get(id).map_or("", String::as_str)
    }

    /// Whether a token is text, not special and not a timestamp.
    pub fn is_text(&self, id: usize) -> bool {
        id < self.end_of_text
    }

    /// The id of [`START_OF_TRANSCRIPT`].
    pub fn start_of_transcript(&self) -> usize {
        self.start_of_transcript
    }

    /// The id of the first timestamp, 0.00 s.
    pub fn timestamp_begin(&self) -> usize {
        self.timestamp_begin
    }

    /// Time of a timestamp token in milliseconds from the window's start; `None` for any other token.
    pub fn timestamp_ms(&self, id: usize) -> Option<u64> {
        let steps = id.checked_sub(self.timestamp_begin)?;
        Some(steps as u64 * TIMESTAMP_STEP_MS)
    }

    /// Codes of the languages whose tokens are `lang_ids`; if that is empty, of all language tokens.
    pub fn languages(&self, lang_ids: &[usize]) -> Vec<String> {
        let first = self.start_of_transcript + 1;
        let last = self.id("<|translate|>").unwrap_or(first);
        let all: Vec<usize> = (first..last).collect();
        let ids = if lang_ids.is_empty() { &all } else { lang_ids };
        ids.iter().filter_map(|id| language_code(self.token(*id))).map(str::to_owned).collect()
    }
}

/// `en` from the language token `<|en|>`.
pub fn language_code(token: &str) -> Option<&str> {
    token.strip_prefix("<|")?.strip_suffix("|>")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::*;

    /// A small vocabulary in Whisper's order.
    fn vocabulary() -> Vocabulary {
        let tokens = [
            "!",
            "<|endoftext|>",
            "<|startoftranscript|>",
            "<|en|>",
            "<|pt|>",
            "<|translate|>",
            "<|transcribe|>",
            "<|notimestamps|>",
        ];
        let timestamps = (0..=1500).map(|i| format!("<|{:.2}|>", f64::from(i) / 50.0));
        Vocabulary::new(tokens.iter().map(|token| (*token).to_owned()).chain(timestamps).collect()).unwrap()
    }

    #[test]
    fn timestamps_are_steps_of_20_ms() {
        let vocabulary = vocabulary();
        let ms = |token: &str| vocabulary.timestamp_ms(vocabulary.id(token).unwrap());
        assert_eq!((ms("<|0.00|>"), ms("<|0.02|>"), ms("<|30.00|>")), (Some(0), Some(20), Some(30_000)));
        assert_eq!((ms("<|notimestamps|>"), ms("!")), (None, None));
    }

    #[test]
    fn languages_come_from_the_config_or_the_vocabulary() {
        let vocabulary = vocabulary();
        assert_eq!(vocabulary.languages(&[]), ["en", "pt"]);
        assert_eq!(vocabulary.languages(&[vocabulary.id("<|pt|>").unwrap()]), ["pt"]);
    }

    #[test]
    fn a_missing_token_is_named() {
        let without = |token: &str| vocabulary().tokens.into_iter().filter(|known| known != token).collect();
        assert_eq!(Vocabulary::new(without("<|endoftext|>")).err(), Some("<|endoftext|>"));
        assert_eq!(Vocabulary::new(without("<|notimestamps|>")).err(), Some("<|notimestamps|>"));
    }
}
