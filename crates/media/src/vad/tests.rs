use ytcaption_testing::sound::{drums, music, noise, pink_noise, silence, speak, tone};

use super::*;

#[test]
fn padding_never_overlaps() {
    let span = |start_ms, end_ms| Span { start_ms, end_ms };
    let mut spans = [span(50, 400), span(500, 900), span(2000, 2950)];
    pad(&mut spans, 200, 3000);
    assert_eq!(spans, [span(0, 450), span(450, 1100), span(1800, 3000)]);
}

fn found(pcm: &[f32]) -> Vec<Span> {
    detect_speech(pcm, &VadOptions::default())
}

#[test]
fn every_voice_is_found_whole() {
    for (voice, text) in [
        ("en-us", "The house is white and the dog is black."),
        ("en-gb+f3", "They read the green book on Monday."),
        ("pt-br", "Eu vejo três gatos e dez livros."),
        ("pt-br+m3", "Feche a janela amanhã."),
    ] {
        let spoken = speak(voice, text);
        let end_ms = 1000 + samples_to_ms(spoken.len() as u64);
        let mut pcm = [silence(1000), spoken, silence(1000)].concat();
        for _ in 0..2 {
            let found = found(&pcm);
            let (first, last) = (found[0], found[found.len() - 1]);
            assert!(first.start_ms.abs_diff(1000) < 130, "{voice}: {found:?}");
            // espeak-ng ends a sentence with up to 0.3 s of silence.
            assert!(last.end_ms + 450 > end_ms && last.end_ms < end_ms + 130, "{voice}: {found:?} {end_ms}");
            // Once more in noise, 15 to 20 dB below the voice.
            pcm.iter_mut().zip(noise(10_000, 0.02)).for_each(|(sample, noise)| *sample += noise);
        }
    }
}

#[test]
fn nothing_else_is_speech() {
    for (name, pcm) in [
        ("silence", silence(20_000)),
        ("white noise", noise(20_000, 0.3)),
        ("pink noise", pink_noise(20_000, 0.3)),
        ("a low tone", tone(20_000, 110.0, 0.3)),
        ("a high tone", tone(20_000, 1_000.0, 0.3)),
        ("an arpeggio", music(20_000, 250, 1)),
        ("a quick arpeggio", music(20_000, 150, 1)),
        ("chords", music(20_000, 1_000, 3)),
        ("drums", drums(20_000)),
        ("ten milliseconds", noise(10, 0.5)),
        ("nothing", Vec::new()),
    ] {
        assert_eq!(found(&pcm), [], "{name}");
    }
}

#[test]
fn a_note_right_after_speech_is_not_speech_but_a_word_is() {
    let sentence = speak("en-us", "We want three red cars.");
    let end_ms = samples_to_ms(sentence.len() as u64);
    for note_ms in [150, 250, 400] {
        let pcm = [sentence.clone(), silence(400), music(5_000, note_ms, 1)].concat();
        let found = found(&pcm);
        assert!(found.iter().all(|span| span.end_ms <= end_ms), "{note_ms}: {found:?} {end_ms}");
    }
    for word in ["No.", "Two.", "Six."] {
        let found = found(&[sentence.clone(), silence(700), speak("en-us", word), silence(500)].concat());
        assert!(found.iter().any(|span| span.start_ms > end_ms + 600), "{word}: {found:?} {end_ms}");
    }
}

#[test]
fn settings_out_of_range_are_errors() {
    let default = VadOptions::default();
    assert_eq!(default.check(), Ok(()));
    for options in [
        VadOptions { threshold: 1.5, ..default },
        VadOptions { threshold: f32::NAN, ..default },
        VadOptions { neg_threshold: Some(-0.1), ..default },
        VadOptions { max_speech_duration_s: Some(0.0), ..default },
        VadOptions { max_speech_duration_s: Some(f32::INFINITY), ..default },
    ] {
        assert!(options.check().is_err(), "{options:?}");
    }
}
