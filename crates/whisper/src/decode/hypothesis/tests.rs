use super::*;

fn hypothesis(temperature: f32, avg_logprob: f32, compression_ratio: f32, no_speech_prob: f32) -> Hypothesis {
    Hypothesis { tokens: Vec::new(), avg_logprob, no_speech_prob, compression_ratio, temperature }
}

/// The temperature of the best hypothesis, and whether it was accepted.
fn decide(hypotheses: Vec<Hypothesis>) -> (f32, bool) {
    let mut decision = FallbackDecision::default();
    for hypothesis in hypotheses {
        decision.add(hypothesis, &TranscribeOptions::default());
    }
    let settled = decision.is_settled();
    (decision.into_best().temperature, settled)
}

#[test]
fn likely_text_is_accepted() {
    assert_eq!(decide(vec![hypothesis(0.0, -0.3, 1.2, 0.0)]), (0.0, true));
}

#[test]
fn guesses_and_loops_are_tried_again() {
    assert_eq!(decide(vec![hypothesis(0.0, -1.5, 1.2, 0.0)]), (0.0, false));
    assert_eq!(decide(vec![hypothesis(0.0, -0.1, 9.0, 0.0)]), (0.0, false));
    assert_eq!(decide(vec![hypothesis(0.0, -0.1, 9.0, 0.0), hypothesis(0.2, -0.5, 1.0, 0.0)]), (0.2, true));
}

#[test]
fn silence_is_accepted_at_once() {
    let silence = hypothesis(0.0, -1.5, 1.0, 0.9);
    assert!(silence.is_silence(&TranscribeOptions::default()));
    assert_eq!(decide(vec![silence]), (0.0, true));
}

#[test]
fn when_all_fail_the_likeliest_that_is_not_a_loop_is_taken() {
    let hypotheses = vec![
        hypothesis(0.0, -0.1, 9.0, 0.0),
        hypothesis(0.2, -1.9, 1.0, 0.0),
        hypothesis(0.4, -1.2, 1.0, 0.0),
        hypothesis(0.6, -1.4, 1.0, 0.0),
    ];
    assert_eq!(decide(hypotheses), (0.4, false));
    assert_eq!(decide(vec![hypothesis(0.0, -0.5, 9.0, 0.0), hypothesis(0.2, -0.2, 8.0, 0.0)]), (0.2, false));
}

#[test]
fn loops_compress() {
    assert!(compression_ratio(&"and then ".repeat(40)) > 2.4);
    assert!(compression_ratio("The house is white and the dog is black.") < 1.2);
    assert!(compression_ratio("") < 1.0);
}
