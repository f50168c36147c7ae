#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use serde::Deserialize;

use super::*;

/// Written by `fixtures/make_features.py` with faster-whisper's feature extractor.
const FIXTURES: &str = include_str!("../../fixtures/features.json");

#[derive(Deserialize)]
struct Fixtures {
    mel_step: usize,
    frame_step: usize,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    signal: String,
    mels: usize,
    frames: usize,
    values: Vec<Vec<f32>>,
}

fn noise(length: u32) -> Vec<f32> {
    let mut state = 1_u32;
    let mut sample = |n: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let value = (f64::from(state >> 16) - 32768.0) / 32768.0;
        (value * (f64::from(n % 4096) / 4096.0)) as f32
    };
    (0..length).map(&mut sample).collect()
}

fn square(length: u32) -> Vec<f32> {
    let low = |n: u32| ((n << (n / 2048 % 5)) / 64).is_multiple_of(2);
    (0..length).map(|n| if low(n) { 0.0625 } else { -0.0625 }).collect()
}

fn signal(name: &str) -> Vec<f32> {
    match name {
        "noise" => noise(16_000),
        "square" => square(12_345),
        "silence" => vec![0.0; 1_600],
        "short" => noise(200).split_off(100),
        "one" => vec![0.5],
        "empty" => Vec::new(),
        other => panic!("the fixtures name an unknown signal {other}"),
    }
}

#[test]
fn equal_the_reference_within_a_thousandth() {
    let fixtures: Fixtures = serde_json::from_str(FIXTURES).unwrap();
    assert_eq!(fixtures.cases.len(), 12);
    for case in fixtures.cases {
        let spectrogram = FeatureExtractor::new(case.mels).log_mel(&signal(&case.signal));
        let name = format!("{} with {} mels", case.signal, case.mels);
        assert_eq!(spectrogram.frames, case.frames, "{name}");
        for (i, row) in case.values.iter().enumerate() {
            for (j, expected) in row.iter().enumerate() {
                let (mel, frame) = (i * fixtures.mel_step, j * fixtures.frame_step);
                let value = spectrogram.values[mel * spectrogram.frames + frame];
                assert!(
                    (value - expected).abs() < 1e-3,
                    "{name}, mel {mel}, frame {frame}: {value} instead of {expected}"
                );
            }
        }
    }
}

#[test]
fn fitting_cuts_and_fills_with_zeros() {
    let spectrogram = Spectrogram { frames: 3, values: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0] };
    let mut out = vec![9.0; 8];
    spectrogram.fit_into(2, &mut out, 4);
    assert_eq!(out, [1.0, 2.0, 0.0, 0.0, 4.0, 5.0, 0.0, 0.0]);
    let mut out = vec![9.0; 2];
    spectrogram.fit_into(3, &mut out, 1);
    assert_eq!(out, [1.0, 4.0]);
}
