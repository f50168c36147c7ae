#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use super::*;
use crate::tokenizer::tests::tokenizer;

type Spans = Vec<(u64, u64)>;

/// Complete segments, the unfinished one, and where to go on.
fn reading(tokens: &[&str], length_ms: u64) -> (Spans, Option<(u64, u64)>, u64) {
    let vocabulary = tokenizer().vocabulary;
    let tokens: Vec<usize> = tokens.iter().map(|token| vocabulary.id(token).unwrap()).collect();
    let read = read(&vocabulary, &tokens, length_ms);
    let times = |segment: RawSegment| (segment.span.start_ms, segment.span.end_ms);
    (read.segments.into_iter().map(times).collect(), read.unfinished.map(times), read.resume_ms)
}

#[test]
fn pairs_part_segments() {
    let tokens = ["<|0.50|>", "!", "<|2.00|>", "<|2.40|>", "!", "!", "<|4.00|>"];
    assert_eq!(reading(&tokens, 30_000), (vec![(500, 2000), (2400, 4000)], None, 4000));
}

#[test]
fn text_without_an_end_is_unfinished() {
    let tokens = ["<|0.00|>", "!", "<|2.00|>", "<|2.00|>", "!"];
    assert_eq!(reading(&tokens, 9000), (vec![(0, 2000)], Some((2000, 9000)), 2000));
    assert_eq!(reading(&["<|1.00|>", "!"], 9000), (vec![], Some((1000, 9000)), 0));
    assert_eq!(reading(&["!"], 9000), (vec![], Some((0, 9000)), 0));
}

#[test]
fn a_start_without_text_is_nothing_but_a_place_to_go_on() {
    let tokens = ["<|0.00|>", "!", "<|2.00|>", "<|2.00|>"];
    assert_eq!(reading(&tokens, 9000), (vec![(0, 2000)], None, 2000));
    assert_eq!(reading(&["<|0.00|>"], 9000), (vec![], None, 0));
    assert_eq!(reading(&[], 9000), (vec![], None, 0));
}

#[test]
fn no_time_lies_past_the_sound() {
    let tokens = ["<|0.00|>", "!", "<|8.00|>", "<|9.00|>", "!", "<|12.00|>"];
    assert_eq!(reading(&tokens, 8500), (vec![(0, 8000), (8500, 8500)], None, 8500));
}
