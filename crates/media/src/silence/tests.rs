use ytcaption_testing::sound::{noise, silence, speak};

use super::*;
use crate::levels::{LevelMeter, levels};
use crate::samples_to_ms;

/// A tone of 440 Hz that swells and fades within each 100 ms, as syllables do.
fn voice(ms: usize, amplitude: f32) -> Vec<f32> {
    let sample = |n: usize| {
        let t = n as f32 / 16_000.0;
        let syllable = (t * 10.0 * std::f32::consts::PI).sin().abs();
        (t * 440.0 * std::f32::consts::TAU).sin() * syllable * amplitude
    };
    (0..ms * 16).map(sample).collect()
}

fn spans(samples: &[f32]) -> Vec<Span> {
    let (mut detector, mut spans) = (SilenceDetector::default(), Vec::new());
    detector.push(&levels(samples), &mut spans);
    detector.finish(&mut spans);
    spans
}

fn near(span: Span, start_ms: u64, end_ms: u64) -> bool {
    const TOLERANCE_MS: u64 = 60; // a few frames
    span.start_ms.abs_diff(start_ms) <= TOLERANCE_MS && span.end_ms.abs_diff(end_ms) <= TOLERANCE_MS
}

#[test]
fn finds_sound_between_silences() {
    let pcm = [silence(1000), voice(2000, 0.3), silence(1500), voice(700, 0.1), silence(800)];
    let found = spans(&pcm.concat());
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(near(found[0], 1000, 3000) && near(found[1], 4500, 5200), "{found:?}");
}

#[test]
fn finds_a_voice_in_noise() {
    // 20 dB between voice and noise.
    let mut pcm = [silence(2000), voice(2000, 0.2), silence(3000)].concat();
    for (sample, noise) in pcm.iter_mut().zip(noise(7000, 0.02)) {
        *sample += noise;
    }
    let found = spans(&pcm);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(near(found[0], 2000, 4000), "{found:?}");
}

#[test]
fn finds_a_real_voice_whole() {
    let word = speak("en-us", "The house is white and the dog is black.");
    let length_ms = samples_to_ms(word.len() as u64);
    let found = spans(&[silence(1000), word, silence(1000)].concat());
    // espeak-ng ends a sentence with 0.3 s of silence.
    assert!(near(found[0], 1000, 1000 + length_ms - 300), "{found:?}");
}

#[test]
fn steady_noise_hum_and_silence_are_quiet() {
    let hum: Vec<f32> =
        (0..160_000).map(|n| (n as f32 / 16_000.0 * 50.0 * std::f32::consts::TAU).sin() * 0.3).collect();
    for (name, pcm) in [
        ("digital silence", silence(10_000)),
        ("loud noise", noise(10_000, 0.5)),
        ("faint noise", noise(10_000, 0.001)),
        ("hum", hum),
        ("nothing", Vec::new()),
        ("ten milliseconds", voice(10, 0.5)),
    ] {
        assert_eq!(spans(&pcm), [], "{name}");
    }
}

#[test]
fn clicks_are_too_short() {
    let mut pcm = silence(5000);
    for at in [10_000, 40_000, 60_000] {
        pcm[at..at + 160].fill(0.9);
    }
    assert_eq!(spans(&pcm), []);
}

#[test]
fn pieces_of_any_size_give_the_same() {
    let pcm = [voice(3000, 0.2), silence(700), voice(9000, 0.05), silence(6000), voice(400, 0.4)];
    let pcm = [pcm.concat(), noise(3000, 0.01)].concat();
    let whole = spans(&pcm);
    assert!(whole.len() >= 3, "{whole:?}");
    for size in [1, 77, 160, 16_000] {
        let (mut meter, mut detector) = (LevelMeter::default(), SilenceDetector::default());
        let mut found = Vec::new();
        for piece in pcm.chunks(size) {
            let mut levels = Vec::new();
            meter.push(piece, &mut levels);
            detector.push(&levels, &mut found);
        }
        detector.finish(&mut found);
        assert_eq!(found, whole, "pieces of {size}");
    }
}
