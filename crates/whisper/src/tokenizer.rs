//! Tokens and text: GPT-2's byte mapping over the model's own vocabulary.

mod encode;

use std::collections::HashMap;

pub(crate) use encode::Merges;

/// Milliseconds between two timestamp tokens.
pub(crate) const TIMESTAMP_STEP_MS: u64 = 20;

pub(crate) const START_OF_TRANSCRIPT: &str = "<|startoftranscript|>";
pub(crate) const START_OF_PREVIOUS: &str = "<|startofprev|>";
pub(crate) const NO_TIMESTAMPS: &str = "<|notimestamps|>";

/// Symbols that annotate instead of being spoken, as faster-whisper lists them
/// (`Tokenizer.non_speech_tokens`).
const NON_SPEECH: &str = "\" # ( ) * + / : ; < = > @ [ \\ ] ^ _ ` { | } ~ 「 」 『 』 << >> <<< >>> -- --- \
    -( -[ (' (\" (( )) ((( ))) [[ ]] {{ }} ♪♪ ♪♪♪";
/// Of these the first token is left out even when they take several: they share it.
const MUSIC: &str = "♩♪♫♬♭♮♯";

/// A model's vocabulary.
pub(crate) struct Vocabulary {
    tokens: Vec<String>,
    ids: HashMap<String, usize>,
    bytes: HashMap<char, u8>,
    /// First token that is not text: end of text.
    pub(crate) end_of_text: usize,
    pub(crate) start_of_transcript: usize,
    /// Token of 0.00 s; all after it are timestamps too.
    pub(crate) timestamp_begin: usize,
}

impl Vocabulary {
    /// Fails with the name of the token that a Whisper vocabulary must have and this one lacks.
    pub(crate) fn new(tokens: Vec<String>) -> Result<Self, &'static str> {
        let ids: HashMap<String, usize> = tokens.iter().enumerate().map(|(id, token)| (token.clone(), id)).collect();
        let id = |token: &'static str| ids.get(token).copied().ok_or(token);
        let end_of_text = id("<|endoftext|>")?;
        let start_of_transcript = id(START_OF_TRANSCRIPT)?;
        let timestamp_begin = id(NO_TIMESTAMPS)? + 1;
        if timestamp_begin >= tokens.len() {
            return Err("<|0.00|>");
        }
        Ok(Self { bytes: byte_alphabet(), tokens, ids, end_of_text, start_of_transcript, timestamp_begin })
    }

    pub(crate) fn id(&self, token: &str) -> Option<usize> {
        self.ids.get(token).copied()
    }

    pub(crate) fn token(&self, id: usize) -> &str {
        self.tokens.get(id).map_or("", String::as_str)
    }

    pub(crate) fn is_text(&self, id: usize) -> bool {
        id < self.end_of_text
    }

    /// Time of a timestamp token from the window's start; `None` for any other token.
    pub(crate) fn timestamp_ms(&self, id: usize) -> Option<u64> {
        let steps = id.checked_sub(self.timestamp_begin)?;
        Some(steps as u64 * TIMESTAMP_STEP_MS)
    }

    /// The text of `ids`; tokens that are not text are left out.
    pub(crate) fn text(&self, ids: &[usize]) -> String {
        String::from_utf8_lossy(&self.text_bytes(ids)).into_owned()
    }

    /// Like [`Vocabulary::text`], but a character may be cut at either end.
    pub(crate) fn text_bytes(&self, ids: &[usize]) -> Vec<u8> {
        ids.iter()
            .filter(|id| self.is_text(**id))
            .flat_map(|id| self.token(*id).chars())
            .filter_map(|c| self.bytes.get(&c).copied())
            .collect()
    }

    /// Codes of the languages whose tokens are `lang_ids`; without those, of all language tokens.
    pub(crate) fn languages(&self, lang_ids: &[usize]) -> Vec<String> {
        let first = self.start_of_transcript + 1;
        let last = self.id("<|translate|>").unwrap_or(first);
        let all: Vec<usize> = (first..last).collect();
        let ids = if lang_ids.is_empty() { &all } else { lang_ids };
        ids.iter().filter_map(|id| language_of(self.token(*id))).map(str::to_owned).collect()
    }

    /// Tokens that are never speech, as faster-whisper computes them.
    pub(crate) fn non_speech_tokens(&self) -> Vec<usize> {
        let letters = byte_letters();
        let spell = |text: &str| text.bytes().map(|b| letters[usize::from(b)]).collect::<String>();
        let mut found: Vec<usize> = [" -", " '"].iter().filter_map(|text| self.id(&spell(text))).collect();
        for symbol in NON_SPEECH.split_whitespace() {
            found.extend(self.id(&spell(symbol)));
            found.extend(self.id(&spell(&format!(" {symbol}"))));
        }
        for symbol in MUSIC.chars() {
            for text in [symbol.to_string(), format!(" {symbol}")] {
                found.extend(self.longest_start(&spell(&text)));
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The token that a spelled word begins with. A lone space is not it: that would forbid all words.
    fn longest_start(&self, spelled: &str) -> Option<usize> {
        let ends = spelled.char_indices().map(|(i, c)| i + c.len_utf8()).rev();
        let token = ends.map(|end| &spelled[..end]).find(|start| self.ids.contains_key(*start))?;
        if token.chars().count() > 1 { self.id(token) } else { None }
    }
}

/// `en` out of `<|en|>`.
pub(crate) fn language_of(token: &str) -> Option<&str> {
    token.strip_prefix("<|")?.strip_suffix("|>")
}

/// The letter that stands for each byte: GPT-2's `bytes_to_unicode`. Printable bytes stand for
/// themselves, the others for the letters from U+0100 on.
fn byte_letters() -> [char; 256] {
    let mut letters = ['\0'; 256];
    let mut next = 0x100_u32;
    for byte in 0..=u8::MAX {
        letters[usize::from(byte)] = match byte {
            b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF => char::from(byte),
            _ => {
                next += 1;
                char::from_u32(next - 1).unwrap_or('\u{100}')
            }
        };
    }
    letters
}

fn byte_alphabet() -> HashMap<char, u8> {
    byte_letters().into_iter().zip(0..=u8::MAX).collect()
}

#[cfg(test)]
pub(crate) mod tests;
