//! What each option does to the text, with the demo model.

use super::*;

fn spoken(text: &str) -> Vec<f32> {
    [silence(500), speak("en-us", text), silence(500)].concat()
}

#[test]
fn no_more_tokens_are_written_than_allowed() {
    let pcm = spoken(TALK[1]);
    let whole = words(&text(&run(&pcm, &in_language("en"))));
    let limited = |most| {
        let options = TranscribeOptions { max_new_tokens: Some(most), ..in_language("en") };
        words(&text(&run(&pcm, &options)))
    };
    for most in [1, 3, 5] {
        let found = limited(most);
        // A token is a word at the most, and the first is a timestamp.
        assert!(found.len() < most, "{most}: {found:?}");
        assert_eq!(found, whole[..found.len()], "{most}");
    }
    assert!(!limited(5).is_empty());
    assert_eq!(limited(224), whole);
}

#[test]
fn without_timestamps_a_window_is_one_segment() {
    let (pcm, spans) = talk(&TALK[..3]);
    // The demo model loses count in longer windows when it writes no times.
    let options = TranscribeOptions { without_timestamps: true, chunk_length: Some(4), ..in_language("en") };
    let transcript = run(&pcm, &options);
    let found: Vec<_> = transcript.segments.iter().map(|segment| words(&segment.text)).collect();
    assert_eq!(found, TALK[..3].iter().map(|sentence| words(sentence)).collect::<Vec<_>>());
    for (segment, span) in transcript.segments.iter().zip(&spans) {
        // The detector alone says when speech begins and ends; espeak-ng leaves some silence at its end.
        assert!(segment.start_ms.abs_diff(span.start_ms) < 300, "{segment:?} {span:?}");
        assert!(segment.end_ms.abs_diff(span.end_ms) < 500, "{segment:?} {span:?}");
    }
}

#[test]
fn the_first_window_begins_with_the_prefix_and_no_other() {
    let pcm = [spoken(TALK[1]), silence(5_000), spoken(TALK[2])].concat();
    let found = |prefix: &str, word_timestamps| {
        let options = TranscribeOptions { prefix: Some(prefix.to_owned()), word_timestamps, ..in_language("en") };
        text(&run(&pcm, &options))
    };
    let expected = "My number is white and the dog is black. Tomorrow is Friday.";
    assert_eq!((found("My number is", false), found("My number is", true)), (expected.to_owned(), expected.to_owned()));
    assert_eq!(found(" ", false), format!("{} {}", TALK[1], TALK[2]));
}

#[test]
fn a_prefix_of_any_length_leaves_room_for_text() {
    let pcm = spoken(TALK[1]);
    let options = TranscribeOptions {
        prefix: Some("The house. ".repeat(300)),
        initial_prompt: Some("We read. ".repeat(300)),
        hotwords: Some("cars ".repeat(300)),
        ..in_language("en")
    };
    // The text of the demo model does not matter here; that it ends does.
    assert_eq!(run(&pcm, &options).duration_ms, samples_to_ms(pcm.len() as u64));
}

#[test]
fn text_over_silence_is_dropped_and_speech_is_not() {
    let found = |pcm: &[f32], threshold| {
        let options = TranscribeOptions {
            // The detector and the model's own doubt would leave nothing to find.
            vad_filter: false,
            no_speech_threshold: None,
            temperature: vec![0.0],
            word_timestamps: true,
            hallucination_silence_threshold: threshold,
            ..in_language("en")
        };
        run(pcm, &options).segments.into_iter().map(|segment| segment.text).collect::<Vec<_>>()
    };
    let sentence = speak("en-us", TALK[1]);
    let pcm = [sentence.clone(), silence(6_000), music(5_000, 700, 3), silence(5_000), sentence].concat();
    assert!(found(&pcm, None).len() > 2, "the demo model makes sentences of chords");
    assert_eq!(found(&pcm, Some(1.0)), [TALK[1], TALK[1]]);
    let (pcm, _) = talk(&TALK);
    assert_eq!(found(&pcm, Some(1.0)), found(&pcm, None));
}
