//! The last guard against a model that repeats itself.

use ytcaption_domain::captions::Segment;

/// The same text this many times in a row is a loop and not speech.
const REPEATS: usize = 4;

/// Leaves the first of each run of [`REPEATS`] or more equal segments that needed a second
/// temperature. A refrain or a count that the model is sure of stays.
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
mod tests {
    use super::*;

    fn segments(texts: &[&str], temperature: f32) -> Vec<Segment> {
        texts
            .iter()
            .zip(0..)
            .map(|(text, i)| Segment {
                start_ms: i * 1000,
                end_ms: (i + 1) * 1000,
                text: (*text).to_owned(),
                avg_logprob: -0.5,
                no_speech_prob: 0.1,
                compression_ratio: 3.0,
                temperature,
                words: Vec::new(),
            })
            .collect()
    }

    fn left(texts: &[&str], temperature: f32) -> Vec<String> {
        let mut segments = segments(texts, temperature);
        drop_repeated(&mut segments);
        segments.into_iter().map(|segment| segment.text).collect()
    }

    #[test]
    fn a_doubted_run_shrinks_to_its_first() {
        assert_eq!(left(&["a", "b", "b", "b", "b", "b", "c"], 0.4), ["a", "b", "c"]);
    }

    #[test]
    fn what_the_model_is_sure_of_or_repeats_three_times_stays() {
        assert_eq!(left(&["no", "no", "no", "no"], 0.0).len(), 4);
        assert_eq!(left(&["a", "b", "b", "b", "a"], 0.4).len(), 5);
        assert!(left(&[], 0.4).is_empty());
    }
}
