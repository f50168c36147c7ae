//! Words that the alignment stretched over a pause.

use ytcaption_domain::captions::Word;

/// Upper bound of the median length of a word (milliseconds, faster-whisper's value).
const MAX_MEDIAN_MS: u64 = 700;

/// Marks that end a sentence: a pause follows.
const SENTENCE_ENDS: [char; 6] = ['.', '。', '!', '！', '?', '？'];

/// Shortens words that begin a sentence to twice the median length, and the first two of a segment where they
/// reach back over the pause before it; after `add_word_timestamps` of faster-whisper 1.2.1.
/// `last_speech_ms` is when the segment before ended.
pub(super) fn shorten(words: &mut [Word], median_ms: u64, last_speech_ms: u64) {
    if median_ms == 0 {
        return;
    }
    let longest_ms = 2 * median_ms;
    for i in 1..words.len() {
        if words[i - 1].text.ends_with(SENTENCE_ENDS) && length_ms(&words[i]) > longest_ms {
            words[i].start_ms = words[i].end_ms - longest_ms;
        }
    }
    let [first, rest @ ..] = words else { return };
    let after_pause = first.end_ms.saturating_sub(last_speech_ms) > 4 * median_ms;
    let second = rest.first_mut();
    let together_ms = second.as_ref().map_or(0, |second| second.end_ms.saturating_sub(first.start_ms));
    if after_pause && (length_ms(first) > longest_ms || together_ms > 2 * longest_ms) {
        if let Some(second) = second
            && length_ms(second) > longest_ms
        {
            second.start_ms = second.end_ms - longest_ms;
            first.end_ms = second.start_ms;
        }
        first.start_ms = first.start_ms.max(first.end_ms.saturating_sub(longest_ms));
    }
}

/// The median length of the words in milliseconds, at most [`MAX_MEDIAN_MS`]; 0 if there are none.
pub(super) fn median_ms<'a>(words: impl Iterator<Item = &'a Word>) -> u64 {
    let mut lengths: Vec<u64> = words.map(length_ms).filter(|length| *length > 0).collect();
    lengths.sort_unstable();
    let middle = lengths.len() / 2;
    let median = match lengths.get(middle) {
        Some(upper) if lengths.len().is_multiple_of(2) => lengths[middle - 1].midpoint(*upper),
        Some(length) => *length,
        None => 0,
    };
    median.min(MAX_MEDIAN_MS)
}

fn length_ms(word: &Word) -> u64 {
    word.end_ms.saturating_sub(word.start_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[(&str, u64, u64)]) -> Vec<Word> {
        words
            .iter()
            .map(|&(text, start_ms, end_ms)| Word { start_ms, end_ms, text: text.to_owned(), probability: 1.0 })
            .collect()
    }

    fn shortened(given: &[(&str, u64, u64)], last_speech_ms: u64) -> Vec<(u64, u64)> {
        let mut words = words(given);
        shorten(&mut words, 300, last_speech_ms);
        words.iter().map(|word| (word.start_ms, word.end_ms)).collect()
    }

    #[test]
    fn the_median_length_is_bounded() {
        let median = |given: &[(&str, u64, u64)]| median_ms(words(given).iter());
        assert_eq!(median(&[]), 0);
        assert_eq!(median(&[("a", 5, 5)]), 0);
        assert_eq!(median(&[("a", 0, 100), ("b", 100, 400), ("c", 400, 410)]), 100);
        assert_eq!(median(&[("a", 0, 100), ("b", 100, 400)]), 200);
        assert_eq!(median(&[("a", 0, 5000)]), 700);
    }

    #[test]
    fn a_first_word_does_not_reach_over_the_pause_before() {
        let given = [("Yes", 5000, 7000), ("we", 7000, 7200), ("can", 7200, 7500)];
        assert_eq!(shortened(&given, 1000), [(6400, 7000), (7000, 7200), (7200, 7500)]);
        // Right after other speech there is no pause that it could reach over.
        assert_eq!(shortened(&given, 6900)[0], (5000, 7000));
    }

    #[test]
    fn nor_does_the_second() {
        let given = [("Yes", 5000, 5100), ("we", 5100, 7200), ("can", 7200, 7500)];
        assert_eq!(shortened(&given, 1000), [(6000, 6600), (6600, 7200), (7200, 7500)]);
    }

    #[test]
    fn a_word_after_a_full_stop_does_not_fill_the_pause() {
        let given = [("I", 0, 200), ("do.", 200, 500), ("You", 500, 3000), ("too", 3000, 3200)];
        assert_eq!(shortened(&given, 0), [(0, 200), (200, 500), (2400, 3000), (3000, 3200)]);
    }

    #[test]
    fn long_words_within_a_sentence_stay() {
        let given = [("a", 0, 200), ("loooong", 200, 2000), ("word", 2000, 2300)];
        assert_eq!(shortened(&given, 0), [(0, 200), (200, 2000), (2000, 2300)]);
        let mut none = words(&[]);
        shorten(&mut none, 300, 0);
        shorten(&mut none, 0, 0);
    }
}
