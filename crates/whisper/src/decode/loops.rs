//! The last guard against a model that repeats itself.

use ytcaption_domain::captions::Segment;

/// The same text so many times in a row, back to back, is a loop and not speech.
const REPEATS: usize = 4;

/// Leaves the first of each run of [`REPEATS`] or more equal segments whose text the thresholds already
/// doubted. A refrain or a count that the model is sure of stays.
pub(super) fn drop_repeated(segments: &mut Vec<Segment>) {
    let mut first = 0;
    while first < segments.len() {
        let run = segments[first..].iter().take_while(|s| s.text == segments[first].text).count();
        let doubted = segments[first..first + run].iter().any(|s| s.temperature > 0.0);
        if run >= REPEATS && doubted {
            segments.drain(first + 1..first + run);
            first += 1;
        } else {
            first += run;
        }
    }
}

#[cfg(test)]
mod tests;
