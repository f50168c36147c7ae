//! What the tests of this crate share: the demo model, and sentences to compare with.

use std::path::PathBuf;
use std::sync::OnceLock;

use ytcaption_models::ModelSettings;
use ytcaption_testing::sound::speak_with;

use crate::Transcriber;

/// The model of the tests: `YTCAPTION_TEST_MODEL`, else the repository's own.
pub(crate) fn model_dir() -> PathBuf {
    std::env::var_os("YTCAPTION_TEST_MODEL")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/demo/model")), PathBuf::from)
}

/// The model, loaded once for all tests.
pub(crate) fn transcriber() -> &'static Transcriber {
    static LOADED: OnceLock<Transcriber> = OnceLock::new();
    LOADED.get_or_init(|| Transcriber::load(&model_dir(), &ModelSettings::default()).expect("the demo model loads"))
}

/// A sentence the model was not trained with, spoken.
pub(crate) struct HeldOut {
    pub(crate) text: String,
    pub(crate) language: String,
    pub(crate) samples: Vec<f32>,
}

/// The sentences of `models/demo/heldout.jsonl`.
pub(crate) fn held_out() -> impl Iterator<Item = HeldOut> {
    #[derive(serde::Deserialize)]
    struct Line {
        text: String,
        language: String,
        voice: String,
        speed: u32,
        pitch: u32,
    }
    const LINES: &str = include_str!("../../../models/demo/heldout.jsonl");
    LINES.lines().map(|line| {
        let line: Line = serde_json::from_str(line).expect("heldout.jsonl holds sentences");
        let (speed, pitch) = (line.speed.to_string(), line.pitch.to_string());
        let samples = speak_with(&["-v", &line.voice, "-s", &speed, "-p", &pitch], &line.text);
        HeldOut { text: line.text, language: line.language, samples }
    })
}

/// The words of a text without punctuation and capitals.
pub(crate) fn words(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    lower
        .split(|c: char| !c.is_alphanumeric() && c != '\'')
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// How many words of `expected` have to be changed, added or removed to get `found`.
pub(crate) fn edits(expected: &[String], found: &[String]) -> usize {
    let mut row: Vec<usize> = (0..=found.len()).collect();
    for (i, word) in expected.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, other) in found.iter().enumerate() {
            let changed = diagonal + usize::from(word != other);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[found.len()]
}
