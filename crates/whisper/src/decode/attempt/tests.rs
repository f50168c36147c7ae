use super::*;

fn attempt(temperature: f32, avg_logprob: f32, compression_ratio: f32, no_speech_prob: f32) -> Attempt {
    Attempt { tokens: Vec::new(), avg_logprob, no_speech_prob, compression_ratio, temperature }
}

/// The temperature of the attempt that is taken, and whether it was taken at once.
fn judge(attempts: Vec<Attempt>) -> (f32, bool) {
    let mut judgement = Judgement::default();
    for attempt in attempts {
        judgement.add(attempt, &TranscribeOptions::default());
    }
    let settled = judgement.is_settled();
    (judgement.verdict().temperature, settled)
}

#[test]
fn a_likely_text_settles_it() {
    assert_eq!(judge(vec![attempt(0.0, -0.3, 1.2, 0.0)]), (0.0, true));
}

#[test]
fn guesses_and_loops_are_tried_again() {
    assert_eq!(judge(vec![attempt(0.0, -1.5, 1.2, 0.0)]), (0.0, false));
    assert_eq!(judge(vec![attempt(0.0, -0.1, 9.0, 0.0)]), (0.0, false));
    assert_eq!(judge(vec![attempt(0.0, -0.1, 9.0, 0.0), attempt(0.2, -0.5, 1.0, 0.0)]), (0.2, true));
}

#[test]
fn silence_needs_no_second_try() {
    let silence = attempt(0.0, -1.5, 1.0, 0.9);
    assert!(silence.is_silence(&TranscribeOptions::default()));
    assert_eq!(judge(vec![silence]), (0.0, true));
}

#[test]
fn when_all_fail_the_likeliest_that_is_no_loop_is_taken() {
    let attempts = vec![
        attempt(0.0, -0.1, 9.0, 0.0),
        attempt(0.2, -1.9, 1.0, 0.0),
        attempt(0.4, -1.2, 1.0, 0.0),
        attempt(0.6, -1.4, 1.0, 0.0),
    ];
    assert_eq!(judge(attempts), (0.4, false));
    assert_eq!(judge(vec![attempt(0.0, -0.5, 9.0, 0.0), attempt(0.2, -0.2, 8.0, 0.0)]), (0.2, false));
}

#[test]
fn loops_compress() {
    assert!(compression_ratio(&"and then ".repeat(40)) > 2.4);
    assert!(compression_ratio("The house is white and the dog is black.") < 1.2);
    assert!(compression_ratio("") < 1.0);
}
