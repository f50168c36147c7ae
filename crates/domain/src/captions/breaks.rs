//! Where a sequence is best broken: the cheapest of all ways to part it, found by dynamic programming as in
//! Knuth and Plass, "Breaking paragraphs into lines" (1981).

use std::ops::Range;

/// Parts `0..count` so that the costs of the parts add up to the least. `cost` is `None` for a part that cannot be,
/// and then for every longer part with the same end; a part of one item is always possible.
pub(super) fn cheapest(count: usize, cost: impl Fn(Range<usize>) -> Option<u64>) -> Vec<Range<usize>> {
    // For each end: the least cost up to there, and where the last part begins.
    let mut best: Vec<(u64, usize)> = vec![(0, 0)];
    for end in 1..=count {
        let parts = (0..end).rev().map_while(|begin| cost(begin..end).map(|cost| (best[begin].0 + cost, begin)));
        let alone = (best[end - 1].0, end - 1);
        best.push(parts.min().unwrap_or(alone));
    }
    let mut parts = Vec::new();
    let mut end = count;
    while end > 0 {
        let begin = best[end].1;
        parts.push(begin..end);
        end = begin;
    }
    parts.reverse();
    parts
}
