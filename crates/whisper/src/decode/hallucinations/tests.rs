use super::*;

const LIMIT_MS: u64 = 30_000;
const THRESHOLD_MS: u64 = 2_000;
const WINDOW: Span = Span { start_ms: 100_000, end_ms: 125_000 };

/// A segment of three words from second to second of the window, likely or not.
fn segment(from: f32, to: f32, probability: f32) -> Segment {
    let ms = |seconds: f32| WINDOW.start_ms + (seconds * 1000.0) as u64;
    let third = (to - from) / 3.0;
    let word = |n: u8| Word {
        start_ms: ms(from + third * f32::from(n)),
        end_ms: ms(from + third * f32::from(n + 1)),
        text: " word".to_owned(),
        probability,
    };
    Segment {
        start_ms: ms(from),
        end_ms: ms(to),
        text: "word word word".to_owned(),
        avg_logprob: -0.3,
        no_speech_prob: 0.1,
        compression_ratio: 1.0,
        temperature: 0.0,
        words: (0..3).map(word).collect(),
    }
}

/// How many segments are kept, and from which second of the window on it is decoded again.
fn found(segments: &[Segment]) -> Option<(usize, u64)> {
    let cut = find(WINDOW, LIMIT_MS, segments, THRESHOLD_MS)?;
    Some((cut.kept, (cut.resume_ms - WINDOW.start_ms) / 1000))
}

const LIKELY: f32 = 0.9;
const ODD: f32 = 0.1;

#[test]
fn speech_stays() {
    assert_eq!(found(&[]), None);
    assert_eq!(found(&[segment(5.0, 7.0, LIKELY), segment(12.0, 14.0, LIKELY)]), None);
    // Unlikely words in the middle of speech are mumbled.
    assert_eq!(found(&[segment(0.0, 2.0, LIKELY), segment(3.0, 5.0, ODD), segment(6.0, 8.0, LIKELY)]), None);
}

#[test]
fn silence_before_odd_words_is_left_out_and_they_are_decoded_again() {
    assert_eq!(found(&[segment(7.0, 9.0, ODD), segment(10.0, 12.0, LIKELY)]), Some((0, 7)));
}

#[test]
fn odd_words_between_silences_are_dropped_and_what_follows_is_decoded_again() {
    let speech = segment(0.0, 2.0, LIKELY);
    assert_eq!(found(&[speech.clone(), segment(8.0, 10.0, ODD), segment(14.0, 16.0, LIKELY)]), Some((1, 8)));
    // Or between silence and more of their kind.
    assert_eq!(found(&[speech.clone(), segment(8.0, 10.0, ODD), segment(10.0, 12.0, ODD)]), Some((1, 8)));
    // At the start of a window it is not known what was before; but it is never decoded again as a whole.
    assert_eq!(found(&[segment(0.5, 2.0, ODD), segment(9.0, 10.0, LIKELY)]), Some((0, 1)));
    // Nothing follows.
    assert_eq!(found(&[speech, segment(21.0, 24.0, ODD)]), None, "speech may go on in the next window");
    let end = Span { end_ms: WINDOW.start_ms + LIMIT_MS, ..WINDOW };
    let cut = find(end, LIMIT_MS, &[segment(0.0, 2.0, LIKELY), segment(26.0, 29.0, ODD)], THRESHOLD_MS);
    assert_eq!(cut, Some(Cut { kept: 1, resume_ms: end.end_ms }));
}

#[test]
fn words_are_odd_by_length_too() {
    assert!(!is_odd(&segment(0.0, 1.2, LIKELY).words));
    assert!(is_odd(&segment(0.0, 0.1, LIKELY).words), "33 ms each");
    assert!(is_odd(&segment(0.0, 15.0, LIKELY).words), "five seconds each");
    assert!(!is_odd(&segment(0.0, 7.5, LIKELY).words), "half a second too long, each");
}

#[test]
fn segments_without_words_are_kept() {
    let without = Segment { words: Vec::new(), ..segment(8.0, 10.0, ODD) };
    assert_eq!(found(&[without]), None);
}
