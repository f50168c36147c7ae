//! Text to tokens, for prompts: GPT-2's byte-pair encoding with the merges of `tokenizer.json`.

use std::collections::HashMap;

use serde::Deserialize;
use ytcaption_models::Vocabulary;

use super::byte_letters;

/// Endings that are pieces of their own.
const CONTRACTIONS: [&str; 7] = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"];

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

    /// The tokens of `text`. What the vocabulary cannot spell is left out.
    pub(crate) fn encode(&self, vocabulary: &Vocabulary, text: &str) -> Vec<usize> {
        let letters = byte_letters();
        let mut ids = Vec::new();
        for word in split_words(text) {
            let spelled = word.bytes().map(|byte| letters[usize::from(byte)].to_string()).collect();
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

/// What a character is to the pattern below.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Letter,
    Number,
    Space,
    Other,
}

fn kind(c: char) -> Kind {
    if c.is_alphabetic() {
        Kind::Letter
    } else if c.is_numeric() {
        Kind::Number
    } else if c.is_whitespace() {
        Kind::Space
    } else {
        Kind::Other
    }
}

/// Splits as GPT-2's pattern does:
/// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`.
fn split_words(mut text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    while let Some(first) = text.chars().next() {
        let end = CONTRACTIONS
            .iter()
            .find(|ending| text.starts_with(**ending))
            .map_or_else(|| word_end(text, first), |ending| ending.len());
        let (word, rest) = text.split_at(end);
        words.push(word);
        text = rest;
    }
    words
}

/// Length in bytes of the word that `text` begins with.
fn word_end(text: &str, first: char) -> usize {
    let run = |from: usize, wanted: Kind| {
        let rest = &text[from..];
        from + rest.find(|c| kind(c) != wanted).unwrap_or(rest.len())
    };
    if kind(first) != Kind::Space {
        return run(0, kind(first));
    }
    // One space belongs to the word after it; of several, only the last does.
    let spaces = run(0, Kind::Space);
    let Some(next) = text[spaces..].chars().next() else { return spaces };
    if text[..spaces].len() == 1 && first == ' ' {
        return run(spaces, kind(next));
    }
    let last = text[..spaces].chars().next_back().map_or(0, char::len_utf8);
    if spaces == last { spaces } else { spaces - last }
}

#[cfg(test)]
mod tests;
