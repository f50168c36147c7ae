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
    let cases: Vec<Case> = serde_json::from_str(include_str!("../../../fixtures/speech_timestamps.json"))
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
