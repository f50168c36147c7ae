//! From probabilities to spans of speech: `get_speech_timestamps` of faster-whisper 1.2.1.

use ytcaption_domain::Span;

use super::VadOptions;
use super::network::CHUNK;
use crate::SAMPLES_PER_MS;

/// Milliseconds of one probability.
pub(super) const CHUNK_MS: u64 = CHUNK as u64 / SAMPLES_PER_MS;

/// Speech that grows too long is parted at its last pause of more than this.
const MIN_PAUSE_MS: u64 = 98;

/// The default of `neg_threshold` is this much below `threshold`, …
const HYSTERESIS: f32 = 0.15;
/// … and at least this.
const MIN_NEG_THRESHOLD: f32 = 0.01;

/// Speech that has not ended yet.
#[derive(Debug, Default)]
struct Open {
    start_ms: u64,
    /// Since when the probability is below `neg_threshold`.
    silent_since_ms: Option<u64>,
    /// The last pause worth parting at, and when speech went on after it.
    pause: Option<(u64, Option<u64>)>,
}

/// Takes probabilities one by one. Its size does not depend on the length of the sound.
#[derive(Debug)]
pub(super) struct Timestamps<'a> {
    options: &'a VadOptions,
    neg_threshold: f32,
    longest_ms: u64,
    now_ms: u64,
    open: Option<Open>,
}

impl<'a> Timestamps<'a> {
    pub(super) fn new(options: &'a VadOptions) -> Self {
        let neg_threshold =
            options.neg_threshold.unwrap_or_else(|| (options.threshold - HYSTERESIS).max(MIN_NEG_THRESHOLD));
        let longest_ms = options.max_speech_duration_s.map_or(u64::MAX, |seconds| {
            ((seconds * 1000.0) as u64).saturating_sub(CHUNK_MS + 2 * options.speech_pad_ms)
        });
        Self { options, neg_threshold, longest_ms, now_ms: 0, open: None }
    }

    /// Takes the next probability; appends the span that it ends.
    pub(super) fn push(&mut self, probability: f32, spans: &mut Vec<Span>) {
        let now_ms = self.now_ms;
        self.now_ms += CHUNK_MS;
        let speaks = probability >= self.options.threshold;
        let Some(open) = &mut self.open else {
            if speaks {
                self.open = Some(Open { start_ms: now_ms, ..Open::default() });
            }
            return;
        };
        if speaks
            && open.silent_since_ms.take().is_some()
            && let Some((_, goes_on @ None)) = &mut open.pause
        {
            *goes_on = Some(now_ms);
        }
        if now_ms - open.start_ms > self.longest_ms {
            let (end_ms, next) = match open.pause {
                Some((pause_ms, next)) => (pause_ms, next),
                None => (now_ms, None),
            };
            spans.push(Span { start_ms: open.start_ms, end_ms });
            let Some(start_ms) = next else {
                self.open = None;
                return;
            };
            *open = Open { start_ms, ..Open::default() };
        }
        if probability < self.neg_threshold {
            let silent_since_ms = *open.silent_since_ms.get_or_insert(now_ms);
            if now_ms - silent_since_ms > MIN_PAUSE_MS {
                open.pause = Some((silent_since_ms, None));
            }
            if now_ms - silent_since_ms >= self.options.min_silence_duration_ms {
                let span = Span { start_ms: open.start_ms, end_ms: silent_since_ms };
                self.open = None;
                self.keep(span, spans);
            }
        }
    }

    /// Ends the sound.
    pub(super) fn finish(mut self, duration_ms: u64, spans: &mut Vec<Span>) {
        if let Some(open) = self.open.take() {
            self.keep(Span { start_ms: open.start_ms, end_ms: duration_ms }, spans);
        }
    }

    fn keep(&self, span: Span, spans: &mut Vec<Span>) {
        if span.length_ms() > self.options.min_speech_duration_ms {
            spans.push(span);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vad::pad;

    /// Random probabilities, some options, and the spans that faster-whisper computes from them.
    #[derive(serde::Deserialize)]
    struct Case {
        options: VadOptions,
        duration_ms: u64,
        probabilities: Vec<f32>,
        spans: Vec<(u64, u64)>,
    }

    #[test]
    fn finds_what_faster_whisper_finds() {
        let cases: Vec<Case> = serde_json::from_str(include_str!("../../fixtures/speech_timestamps.json"))
            .expect("speech_timestamps.json is a list of cases");
        assert!(cases.len() > 20);
        for case in cases {
            let (mut timestamps, mut spans) = (Timestamps::new(&case.options), Vec::new());
            for probability in case.probabilities {
                timestamps.push(probability, &mut spans);
            }
            timestamps.finish(case.duration_ms, &mut spans);
            pad(&mut spans, case.options.speech_pad_ms, case.duration_ms);
            let spans: Vec<_> = spans.iter().map(|span| (span.start_ms, span.end_ms)).collect();
            assert_eq!(spans, case.spans, "{:?}", case.options);
        }
    }
}
