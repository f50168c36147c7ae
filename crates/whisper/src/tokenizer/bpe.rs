//! Text to tokens, for prompts: GPT-2's byte-pair encoding with the merges of `tokenizer.json`.

use std::collections::HashMap;
use std::sync::LazyLock;

use fancy_regex::Regex;
use serde::Deserialize;
use ytcaption_models::Vocabulary;

use super::byte_letters;

/// GPT-2's pre-tokenization: contractions, runs of letters, of numbers and of other characters, each with a space before
/// it, and white space. A vowel sign or other mark (U+093F, U+0E31, U+064E) is not a letter.
static PIECES: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+").expect("a valid pattern")
});

/// Which two tokens become one, and which pair goes first.
pub(crate) struct BpeMerges {
    ranks: HashMap<(String, String), usize>,
}

#[derive(Deserialize)]
struct TokenizerFile {
    model: TokenizerModel,
}

#[derive(Deserialize)]
struct TokenizerModel {
    merges: Vec<Merge>,
}

/// Older files write `"a b"`, newer ones `["a", "b"]`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Merge {
    Text(String),
    Pair(String, String),
}

impl BpeMerges {
    /// The merges of a `tokenizer.json` with this content.
    pub(crate) fn parse(json: &str) -> Result<Self, serde_json::Error> {
        let file: TokenizerFile = serde_json::from_str(json)?;
        let pair = |merge| match merge {
            Merge::Pair(left, right) => (left, right),
            Merge::Text(text) => {
                let (left, right) = text.split_once(' ').unwrap_or((&text, ""));
                (left.to_owned(), right.to_owned())
            }
        };
        Ok(Self { ranks: file.model.merges.into_iter().map(pair).zip(0..).collect() })
    }

    /// The tokens of `text`. Bytes that the vocabulary has no token for are left out.
    pub(crate) fn encode(&self, vocabulary: &Vocabulary, text: &str) -> Vec<usize> {
        let letters = byte_letters();
        let mut ids = Vec::new();
        for piece in pre_tokenize(text) {
            let spelled = piece.bytes().map(|byte| letters[usize::from(byte)].to_string()).collect();
            ids.extend(self.merge(spelled).iter().filter_map(|token| vocabulary.id(token)));
        }
        ids
    }

    /// Joins the pair of the lowest rank until none is left.
    fn merge(&self, mut parts: Vec<String>) -> Vec<String> {
        loop {
            let rank = |i: usize| self.ranks.get(&(parts[i].clone(), parts[i + 1].clone()));
            let best = (0..parts.len().saturating_sub(1)).filter_map(|i| rank(i).map(|rank| (*rank, i))).min();
            let Some((_, i)) = best else { return parts };
            let right = parts.remove(i + 1);
            parts[i].push_str(&right);
        }
    }
}

/// The pieces of `text` that are encoded one by one.
fn pre_tokenize(text: &str) -> Vec<&str> {
    // The pattern splits any text within its own length: it can exceed no limit of the matcher.
    PIECES.find_iter(text).filter_map(Result::ok).map(|piece| piece.as_str()).collect()
}

#[cfg(test)]
mod tests;
