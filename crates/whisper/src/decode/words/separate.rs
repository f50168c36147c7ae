//! Words that follow one another, each with a length.

use ytcaption_domain::captions::Segment;

/// Least length of a word, where the segment has the room for it: a step of the model's timestamps.
const MIN_MS: u64 = ytcaption_models::TIMESTAMP_STEP_MS;

/// Gives a length to each word of the segment, also to those that the path through the attention passes over; none begins
/// before the one before has ended.
pub(in crate::decode) fn separate(segment: &mut Segment) {
    let count = segment.words.len() as u64;
    let Some(room_ms) = segment.end_ms.saturating_sub(segment.start_ms).checked_div(count) else { return };
    let min_ms = room_ms.clamp(1, MIN_MS);
    // Hundreds of words in a few milliseconds were not spoken; whole milliseconds are too long for them.
    segment.end_ms = segment.end_ms.max(segment.start_ms + min_ms * count);
    let mut earliest_ms = segment.start_ms;
    for word in &mut segment.words {
        word.start_ms = word.start_ms.max(earliest_ms);
        word.end_ms = word.end_ms.max(word.start_ms + min_ms);
        earliest_ms = word.end_ms;
    }
    let mut latest_ms = segment.end_ms;
    for word in segment.words.iter_mut().rev() {
        word.end_ms = word.end_ms.min(latest_ms);
        word.start_ms = word.start_ms.min(word.end_ms - min_ms);
        latest_ms = word.start_ms;
    }
}

#[cfg(test)]
mod tests {
    use ytcaption_domain::captions::Word;

    use super::*;

    fn separated(span: (u64, u64), words: &[(u64, u64)]) -> (u64, Vec<(u64, u64)>) {
        let word = |&(start_ms, end_ms)| Word { start_ms, end_ms, text: " a".to_owned(), probability: 1.0 };
        let mut segment = Segment {
            start_ms: span.0,
            end_ms: span.1,
            text: "a".to_owned(),
            avg_logprob: 0.0,
            no_speech_prob: 0.0,
            compression_ratio: 1.0,
            temperature: 0.0,
            words: words.iter().map(word).collect(),
        };
        separate(&mut segment);
        (segment.end_ms, segment.words.iter().map(|word| (word.start_ms, word.end_ms)).collect())
    }

    #[test]
    fn words_with_a_length_stay_as_they_are() {
        let words = [(100, 300), (300, 320), (500, 900)];
        assert_eq!(separated((100, 1000), &words), (1000, words.to_vec()));
        assert_eq!(separated((100, 1000), &[]), (1000, vec![]));
    }

    #[test]
    fn a_word_that_was_passed_over_has_a_length() {
        let found = separated((0, 1000), &[(0, 400), (400, 400), (400, 400), (400, 1000)]).1;
        assert_eq!(found, [(0, 400), (400, 420), (420, 440), (440, 1000)]);
        let found = separated((0, 1000), &[(0, 1000), (1000, 1000), (1000, 1000)]).1;
        assert_eq!(found, [(0, 960), (960, 980), (980, 1000)]);
        let found = separated((0, 1000), &[(500, 700), (200, 300), (300, 250)]).1;
        assert_eq!(found, [(500, 700), (700, 720), (720, 740)]);
    }

    #[test]
    fn many_words_share_a_short_segment() {
        for (length_ms, count) in [(20, 3), (20, 20), (20, 200), (60, 3)] {
            let words = vec![(1000, 1000); count];
            let (end_ms, found) = separated((1000, 1000 + length_ms), &words);
            assert!(found.iter().all(|(start_ms, end_ms)| start_ms < end_ms), "{found:?}");
            assert!(found.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{found:?}");
            assert!(found[0].0 >= 1000 && found[count - 1].1 <= end_ms, "{found:?}");
            assert_eq!(end_ms, 1000 + length_ms.max(count as u64));
        }
    }
}
