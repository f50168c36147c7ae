#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use super::*;
use crate::tokenizer::tests::tokenizer;

type Spans = Vec<(u64, u64)>;

/// Complete segments, the unfinished one, and how far the window was written.
fn parsed(tokens: &[&str], length_ms: u64) -> (Spans, Option<(u64, u64)>, u64) {
    let vocabulary = tokenizer().vocabulary;
    let tokens: Vec<usize> = tokens.iter().map(|token| vocabulary.id(token).unwrap()).collect();
    let parsed = parse(&vocabulary, &tokens, length_ms);
    let times = |segment: RawSegment| (segment.span.start_ms, segment.span.end_ms);
    (parsed.segments.into_iter().map(times).collect(), parsed.unfinished.map(times), parsed.resume_ms)
}

#[test]
fn pairs_separate_segments() {
    let tokens = ["<|0.50|>", "!", "<|2.00|>", "<|2.40|>", "!", "!", "<|4.00|>"];
    assert_eq!(parsed(&tokens, 30_000), (vec![(500, 2000), (2400, 4000)], None, 4000));
}

#[test]
fn text_without_an_end_is_unfinished() {
    let tokens = ["<|0.00|>", "!", "<|2.00|>", "<|2.00|>", "!"];
    assert_eq!(parsed(&tokens, 9000), (vec![(0, 2000)], Some((2000, 9000)), 2000));
    assert_eq!(parsed(&["<|1.00|>", "!"], 9000), (vec![], Some((1000, 9000)), 0));
    assert_eq!(parsed(&["!"], 9000), (vec![], Some((0, 9000)), 0));
}

#[test]
fn a_start_without_text_is_not_a_segment() {
    let tokens = ["<|0.00|>", "!", "<|2.00|>", "<|2.00|>"];
    assert_eq!(parsed(&tokens, 9000), (vec![(0, 2000)], None, 2000));
    assert_eq!(parsed(&["<|0.00|>"], 9000), (vec![], None, 0));
    assert_eq!(parsed(&[], 9000), (vec![], None, 0));
}

#[test]
fn no_time_is_past_the_end_of_the_audio() {
    let tokens = ["<|0.00|>", "!", "<|8.00|>", "<|9.00|>", "!", "<|12.00|>"];
    assert_eq!(parsed(&tokens, 8500), (vec![(0, 8000), (8500, 8500)], None, 8500));
}
