#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::ops::ControlFlow;

use super::*;
use crate::testing::{silence, speak, transcriber};

fn run(pcm: &[f32], options: &TranscribeOptions) -> Transcript {
    transcriber().transcribe(pcm, options, &mut |_| ControlFlow::Continue(())).unwrap()
}

fn text(transcript: &Transcript) -> String {
    transcript.segments.iter().map(|s| s.text.as_str()).collect::<Vec<_>>().join(" ")
}

#[test]
fn writes_down_english_with_times() {
    let pcm = [silence(1000), speak("en-us", "We want three red cars."), silence(800)].concat();
    let transcript = run(&pcm, &TranscribeOptions::default());
    assert_eq!(transcript.language, "en");
    assert_eq!(text(&transcript), "We want three red cars.");
    let segment = &transcript.segments[0];
    assert!((800..1300).contains(&segment.start_ms), "{segment:?}");
    assert!(segment.end_ms <= transcript.duration_ms - 600, "{segment:?}");
}
