//! Tokens and text: GPT-2's byte mapping over the model's own vocabulary.

mod bpe;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::OnceLock;

use ytcaption_domain::job::Task;
use ytcaption_models::Vocabulary;

use bpe::BpeMerges;

pub(crate) const START_OF_PREVIOUS: &str = "<|startofprev|>";

/// Symbols that annotate instead of being spoken, as faster-whisper lists them
/// (`Tokenizer.non_speech_tokens`).
const NON_SPEECH: &str = "\" # ( ) * + / : ; < = > @ [ \\ ] ^ _ ` { | } ~ 「 」 『 』 << >> <<< >>> -- --- \
    -( -[ (' (\" (( )) ((( ))) [[ ]] {{ }} ♪♪ ♪♪♪";
/// Of these the first token is left out even when they take several: they share it.
const MUSIC: &str = "♩♪♫♬♭♮♯";

/// A model's vocabulary, and the merges to encode with, which are loaded for the first prompt: most transcriptions have
/// none.
pub(crate) struct Tokenizer {
    pub(crate) vocabulary: Vocabulary,
    bytes: HashMap<char, u8>,
    merges: OnceLock<Option<BpeMerges>>,
    /// `tokenizer.json` of the model's directory, which may not exist.
    file: PathBuf,
}

impl Tokenizer {
    /// `file` is the path of the model's `tokenizer.json`.
    pub(crate) fn new(vocabulary: Vocabulary, file: PathBuf) -> Self {
        Self { vocabulary, bytes: byte_alphabet(), merges: OnceLock::new(), file }
    }

    /// The tokens of `text`; `None` if the model has no usable `tokenizer.json`.
    pub(crate) fn encode(&self, text: &str) -> Option<Vec<usize>> {
        let merges = self.merges.get_or_init(|| {
            let json = std::fs::read_to_string(&self.file).ok()?;
            BpeMerges::parse(&json).inspect_err(|error| tracing::warn!(%error, "tokenizer.json is broken")).ok()
        });
        merges.as_ref().map(|merges| merges.encode(&self.vocabulary, text))
    }

    /// The text of `ids`; tokens that are not text are left out.
    pub(crate) fn text(&self, ids: &[usize]) -> String {
        String::from_utf8_lossy(&self.text_bytes(ids)).into_owned()
    }

    /// Like [`Tokenizer::text`], but the first and the last character may be incomplete.
    pub(crate) fn text_bytes(&self, ids: &[usize]) -> Vec<u8> {
        ids.iter()
            .filter(|id| self.vocabulary.is_text(**id))
            .flat_map(|id| self.vocabulary.token(*id).chars())
            .filter_map(|c| self.bytes.get(&c).copied())
            .collect()
    }

    /// Tokens that are never speech, as faster-whisper computes them.
    pub(crate) fn non_speech_tokens(&self) -> Vec<usize> {
        let letters = byte_letters();
        let spell = |text: &str| text.bytes().map(|b| letters[usize::from(b)]).collect::<String>();
        let mut found: Vec<usize> = [" -", " '"].iter().filter_map(|text| self.vocabulary.id(&spell(text))).collect();
        for symbol in NON_SPEECH.split_whitespace() {
            found.extend(self.vocabulary.id(&spell(symbol)));
            found.extend(self.vocabulary.id(&spell(&format!(" {symbol}"))));
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

    /// The longest token that `spelled` begins with. A lone space does not count: that would suppress all words.
    fn longest_start(&self, spelled: &str) -> Option<usize> {
        let ends = spelled.char_indices().map(|(i, c)| i + c.len_utf8()).rev();
        let token = ends.map(|end| &spelled[..end]).find(|start| self.vocabulary.id(start).is_some())?;
        if token.chars().count() > 1 { self.vocabulary.id(token) } else { None }
    }
}

/// The token that requests a task.
pub(crate) fn task_token(task: Task) -> &'static str {
    match task {
        Task::Transcribe => "<|transcribe|>",
        Task::Translate => "<|translate|>",
    }
}

/// The letter that represents each byte: GPT-2's `bytes_to_unicode`. Printable bytes are represented by themselves, the
/// others by the letters from U+0100 on.
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
