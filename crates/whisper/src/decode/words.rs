//! The time of each word, from where the decoder looked while it wrote it.

mod long;

use ytcaption_domain::captions::Word;

use super::RawSegment;
use super::round::Round;
use crate::error::TranscribeError;
use crate::features::HOP;
use crate::tokenizer::{Tokenizer, task_token};
use ytcaption_models::{START_OF_TRANSCRIPT, TIMESTAMP_STEP_MS};

/// Attention is smoothed over so many frames before the path through it is sought (faster-whisper's value).
const MEDIAN_FILTER_WIDTH: i64 = 7;

/// Languages written without spaces: each character counts as a word.
const WITHOUT_SPACES: [&str; 6] = ["zh", "ja", "th", "lo", "my", "yue"];

/// The words of every segment of every window.
pub(super) fn align(
    round: &Round<'_>,
    language: &str,
    written: &[Vec<RawSegment>],
) -> Result<Vec<Vec<Vec<Word>>>, TranscribeError> {
    let mut words: Vec<Vec<Vec<Word>>> = written.iter().map(|segments| vec![Vec::new(); segments.len()]).collect();
    let model = round.model;
    let spoken: Vec<usize> = (0..written.len()).filter(|i| !written[*i].is_empty()).collect();
    if spoken.is_empty() || !model.can_align {
        return Ok(words);
    }
    let tokenizer = &model.tokenizer;
    let vocabulary = &tokenizer.vocabulary;
    let mut start = vec![vocabulary.start_of_transcript()];
    if model.multilingual {
        let task = task_token(round.context.options.task);
        start.extend(vocabulary.id(&format!("<|{language}|>")));
        start.extend(vocabulary.id(task));
    }
    debug_assert_eq!(vocabulary.token(start[0]), START_OF_TRANSCRIPT);
    let text: Vec<Vec<usize>> = spoken
        .iter()
        .map(|i| written[*i].iter().flat_map(|segment| segment.tokens.iter().copied()).collect())
        .collect();
    let frames: Vec<usize> =
        spoken.iter().map(|i| (round.windows[*i].samples.len() / HOP).clamp(1, round.context.frames)).collect();
    let aligned =
        round.encoded.with(&spoken, |view| round.engine.align(view, &start, &text, &frames, MEDIAN_FILTER_WIDTH))?;
    for ((i, text), result) in spoken.into_iter().zip(&text).zip(aligned) {
        // The first frame at which the path reaches each token, and past the last, the end.
        let mut reached_ms = vec![None; text.len() + 1];
        for (&token, &frame) in result.tokens.iter().zip(&result.frames) {
            let token = usize::try_from(token).unwrap_or(usize::MAX);
            if let Some(slot @ None) = reached_ms.get_mut(token) {
                *slot = Some(u64::try_from(frame).unwrap_or(0) * TIMESTAMP_STEP_MS);
            }
        }
        let mut at_ms = 0;
        let reached_ms: Vec<u64> = reached_ms
            .into_iter()
            .map(|ms| {
                at_ms = ms.unwrap_or(at_ms);
                at_ms
            })
            .collect();
        let offset_ms = round.windows[i].span.start_ms;
        let mut first = 0;
        for (segment, out) in written[i].iter().zip(&mut words[i]) {
            let segment_end = first + segment.tokens.len();
            for length in word_lengths(tokenizer, &segment.tokens, language) {
                let last = first + length;
                let probabilities = &result.probabilities[first..last];
                // The path through the attention begins and ends in the padding; the timestamps do not.
                let inside = |ms: u64| (offset_ms + ms).clamp(segment.span.start_ms, segment.span.end_ms);
                // While it writes a comma, the model hears the pause. How the segment ends, its timestamp knows.
                let spoken = last - trailing_marks(tokenizer, &text[first..last]);
                let end = if last == segment_end { last } else { spoken };
                out.push(Word {
                    start_ms: inside(reached_ms[first]),
                    end_ms: inside(reached_ms[end]),
                    text: tokenizer.text(&text[first..last]),
                    probability: probabilities.iter().sum::<f32>() / length as f32,
                });
                first = last;
            }
        }
        let usual_ms = long::usual_ms(words[i].iter().flatten());
        let mut last_speech_ms = 0;
        for (segment, words) in written[i].iter().zip(&mut words[i]) {
            long::shorten(words, usual_ms, last_speech_ms);
            last_speech_ms = segment.span.end_ms;
        }
    }
    Ok(words)
}

/// How many tokens at the end of a word are nothing but punctuation; never all of them.
fn trailing_marks(tokenizer: &Tokenizer, word: &[usize]) -> usize {
    let is_mark = |token: &&usize| {
        let bytes = tokenizer.text_bytes(&[**token]);
        std::str::from_utf8(&bytes).is_ok_and(|text| !text.contains(|c: char| c.is_alphanumeric()))
    };
    word[1..].iter().rev().take_while(is_mark).count()
}

/// How many tokens each word takes: a word begins with a space; punctuation stays with the word before.
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
    // A character cut off at the end belongs to the last word.
    if count > 0 {
        match lengths.last_mut() {
            Some(word) => *word += count,
            None => lengths.push(count),
        }
    }
    lengths
}
