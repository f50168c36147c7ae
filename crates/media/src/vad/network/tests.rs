use ytcaption_testing::sound::noise;

use super::*;

/// Pulses through two sets of resonances, as `fixtures/make_silero.py` makes them.
const VOWELS: [[(f64, f64); 3]; 2] =
    [[(1.905, -0.980), (1.745, -0.969), (1.018, -0.938)], [(1.968, -0.984), (1.215, -0.960), (0.735, -0.938)]];

fn voice(length: usize) -> Vec<f32> {
    let mut memory = [[0.0_f64; 2]; 3];
    let mut until_pulse = 0;
    let mut sample = |n: usize| {
        let (syllable, inside) = (n / 4000, n % 4000);
        let mut value = 0.0;
        if until_pulse == 0 {
            until_pulse = 120 + syllable * 7 % 40;
            value = if syllable % 8 > 4 || inside > 3200 { 0.0 } else { 1.0 };
        }
        until_pulse -= 1;
        for ((a, b), last) in VOWELS[syllable % 2].iter().zip(&mut memory) {
            value = value + a * last[0] + b * last[1];
            *last = [value, last[0]];
        }
        (value / 512.0) as f32
    };
    (0..length).map(&mut sample).collect()
}

/// Noise under a sawtooth of loudness.
fn swelling_noise(length: usize) -> Vec<f32> {
    let steady = noise(length.div_ceil(16), 1.0);
    steady.iter().enumerate().take(length).map(|(n, sample)| sample * ((n % 4096) as f32 / 4096.0)).collect()
}

fn probabilities(samples: &[f32], piece: usize) -> Vec<f32> {
    let (mut silero, mut found) = (Silero::new(), Vec::new());
    for samples in samples.chunks(piece) {
        silero.push(samples, &mut found);
    }
    silero.finish(&mut found);
    found
}

#[test]
fn computes_the_probabilities_of_onnxruntime() {
    #[derive(serde::Deserialize)]
    struct Case {
        signal: String,
        samples: usize,
        probabilities: Vec<f32>,
    }
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("../../../fixtures/silero.json")).expect("silero.json is a list of cases");
    for case in cases {
        let samples = match case.signal.as_str() {
            "voice" => voice(case.samples),
            "noise" => swelling_noise(case.samples),
            _ => vec![0.0; case.samples],
        };
        let found = probabilities(&samples, samples.len());
        assert_eq!(found.len(), case.probabilities.len(), "{}", case.signal);
        for (n, (found, expected)) in found.iter().zip(&case.probabilities).enumerate() {
            assert!((found - expected).abs() < 1e-4, "{} {n}: {found}, not {expected}", case.signal);
        }
    }
}

#[test]
fn pieces_of_any_size_give_the_same() {
    let sound = voice(50_000);
    let whole = probabilities(&sound, sound.len());
    assert!(whole.iter().any(|p| *p > 0.9) && whole.iter().any(|p| *p < 0.1), "{whole:?}");
    for piece in [1, 77, 512, 16_000] {
        assert_eq!(probabilities(&sound, piece), whole, "pieces of {piece}");
    }
}

#[test]
fn the_shortcut_for_silence_changes_no_probability() {
    let speech = voice(3 * CHUNK * TOGETHER + 100);
    let sound = [speech.clone(), vec![0.0; 5 * CHUNK * TOGETHER + 77], speech].concat();
    let mut silero = Silero::new();
    let mut without_shortcut = Vec::new();
    for chunk in [vec![0.0; CONTEXT], sound.clone()].concat().windows(CONTEXT + CHUNK).step_by(CHUNK) {
        let mut gates = Vec::new();
        NETWORK.gates(chunk, &mut gates);
        without_shortcut.push(silero.step(&mut gates));
    }
    let found = probabilities(&sound, sound.len());
    assert_eq!(found[..without_shortcut.len()], without_shortcut, "to the last bit");
    assert!(found[5 * TOGETHER] < 0.01 && found[9 * TOGETHER..].iter().any(|p| *p > 0.9), "{found:?}");
}

#[test]
fn nothing_has_no_probability() {
    assert!(probabilities(&[], 1).is_empty());
}

#[test]
fn memory_stays_the_same_however_long_the_sound() {
    let (mut silero, mut found) = (Silero::new(), Vec::new());
    silero.push(&voice(40_000), &mut found);
    let (waiting, gates) = (silero.waiting.capacity(), silero.gates.capacity());
    silero.push(&voice(400_000), &mut found);
    assert_eq!((silero.waiting.capacity(), silero.gates.capacity()), (waiting, gates));
}

#[test]
fn samples_that_are_not_finite_do_not_spoil_the_rest() {
    // Decoders can hand out such samples; what matters is that the rest of the sound is not lost.
    let mut sound = voice(60_000);
    sound[20_000] = f32::NAN;
    sound[30_000] = f32::INFINITY;
    let found = probabilities(&sound, sound.len());
    assert!(found.iter().all(|p| p.is_finite()), "{found:?}");
    assert!(found[80..].iter().any(|p| *p > 0.9), "{found:?}");
}
