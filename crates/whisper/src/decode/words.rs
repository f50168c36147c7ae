//! Words and their times, from the path through the attention of the decoder while it wrote them.

mod separate;
mod shorten;

pub(super) use separate::separate;

use ytcaption_domain::captions::Word;
use ytcaption_models::TIMESTAMP_STEP_MS;

use super::timestamps::RawSegment;
use crate::engine::Alignment;
use crate::tokenizer::Tokenizer;

/// Languages written without spaces: each character counts as a word.
const WITHOUT_SPACES: [&str; 6] = ["zh", "ja", "th", "lo", "my", "yue"];

/// The words of each of `segments`, which are those of one window; `offset_ms` is the window's start.
pub(super) fn from_alignment(
    alignment: &Alignment,
    segments: &[RawSegment],
    offset_ms: u64,
    tokenizer: &Tokenizer,
    language: &str,
) -> Vec<Vec<Word>> {
    let count = segments.iter().map(|segment| segment.tokens.len()).sum();
    let reached_ms = token_times(alignment, count);
    let mut first = 0;
    let mut words: Vec<Vec<Word>> = Vec::with_capacity(segments.len());
    for segment in segments {
        let (times, probabilities) = (&reached_ms[first..], &alignment.probabilities[first..]);
        words.push(segment_words(segment, times, probabilities, offset_ms, tokenizer, language));
        first += segment.tokens.len();
    }
    let median_ms = shorten::median_ms(words.iter().flatten());
    let mut last_speech_ms = 0;
    for (segment, words) in segments.iter().zip(&mut words) {
        shorten::shorten(words, median_ms, last_speech_ms);
        last_speech_ms = segment.span.end_ms;
    }
    words
}

/// When the path reaches each of `count` tokens, and then the end, in milliseconds from the window's start. A token that
/// the path passes over has the time of the one before.
fn token_times(alignment: &Alignment, count: usize) -> Vec<u64> {
    let mut reached_ms = vec![None; count + 1];
    for (&token, &frame) in alignment.tokens.iter().zip(&alignment.frames) {
        let token = usize::try_from(token).unwrap_or(usize::MAX);
        if let Some(slot @ None) = reached_ms.get_mut(token) {
            *slot = Some(u64::try_from(frame).unwrap_or(0) * TIMESTAMP_STEP_MS);
        }
    }
    let mut last_ms = 0;
    let filled = reached_ms.into_iter().map(|ms| {
        last_ms = ms.unwrap_or(last_ms);
        last_ms
    });
    filled.collect()
}

/// The words of one segment. `times` and `probabilities` begin with the segment's first token.
fn segment_words(
    segment: &RawSegment,
    times: &[u64],
    probabilities: &[f32],
    offset_ms: u64,
    tokenizer: &Tokenizer,
    language: &str,
) -> Vec<Word> {
    // The path through the attention begins and ends in the padding; the timestamps do not.
    let inside = |ms: u64| (offset_ms + ms).clamp(segment.span.start_ms, segment.span.end_ms);
    let mut words = Vec::new();
    let mut first = 0;
    for length in word_lengths(tokenizer, &segment.tokens, language) {
        let last = first + length;
        let tokens = &segment.tokens[first..last];
        // While it writes a comma, the model attends to the pause. The end of the segment is known by its timestamp.
        let end = if last == segment.tokens.len() { last } else { last - trailing_marks(tokenizer, tokens) };
        words.push(Word {
            start_ms: inside(times[first]),
            end_ms: inside(times[end]),
            text: tokenizer.text(tokens),
            probability: probabilities[first..last].iter().sum::<f32>() / length as f32,
        });
        first = last;
    }
    words
}

/// How many tokens at the end of a word are only punctuation; never all of them.
fn trailing_marks(tokenizer: &Tokenizer, word: &[usize]) -> usize {
    let is_mark = |token: &&usize| {
        let bytes = tokenizer.text_bytes(&[**token]);
        std::str::from_utf8(&bytes).is_ok_and(|text| !text.contains(|c: char| c.is_alphanumeric()))
    };
    word[1..].iter().rev().take_while(is_mark).count()
}

/// How many tokens each word has: a word begins with a space; punctuation belongs to the word before.
fn word_lengths(tokenizer: &Tokenizer, tokens: &[usize], language: &str) -> Vec<usize> {
    let spaced = !WITHOUT_SPACES.contains(&language);
    let mut lengths: Vec<usize> = Vec::new();
    let mut bytes = Vec::new();
    let mut count = 0;
    for token in tokens {
        bytes.extend(tokenizer.text_bytes(&[*token]));
        count += 1;
        let Ok(piece) = std::str::from_utf8(&bytes) else { continue };
        let joins = piece.chars().all(|c| !c.is_alphanumeric() && c != ' ') || spaced && !piece.starts_with(' ');
        match lengths.last_mut() {
            Some(word) if joins => *word += count,
            _ => lengths.push(count),
        }
        bytes.clear();
        count = 0;
    }
    // A character that is incomplete at the end belongs to the last word.
    if count > 0 {
        match lengths.last_mut() {
            Some(word) => *word += count,
            None => lengths.push(count),
        }
    }
    lengths
}
