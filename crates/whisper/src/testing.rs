//! What the tests of this crate share: the demo model and a voice.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::{ModelSettings, Transcriber};

/// The model the tests hear with: `YTCAPTION_TEST_MODEL`, else the repository's own.
pub(crate) fn model_dir() -> PathBuf {
    std::env::var_os("YTCAPTION_TEST_MODEL").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/demo/model")),
        PathBuf::from,
    )
}

/// The model, loaded once for all tests.
pub(crate) fn transcriber() -> &'static Transcriber {
    static LOADED: OnceLock<Transcriber> = OnceLock::new();
    LOADED.get_or_init(|| {
        Transcriber::load(&model_dir(), &ModelSettings::default()).expect("the demo model loads")
    })
}

/// `text` as espeak-ng speaks it, 16 kHz mono.
pub(crate) fn speak(voice: &str, text: &str) -> Vec<f32> {
    let espeak = Command::new("espeak-ng")
        .args(["-v", voice, "-s", "160", "--stdout", text])
        .stdout(Stdio::piped())
        .spawn()
        .expect("espeak-ng is installed");
    let ffmpeg = Command::new("ffmpeg")
        .args(["-v", "error", "-i", "pipe:0", "-ar", "16000", "-ac", "1", "-f", "f32le", "pipe:1"])
        .stdin(espeak.stdout.expect("stdout is piped"))
        .output()
        .expect("ffmpeg is installed");
    let (samples, _) = ffmpeg.stdout.as_chunks::<4>();
    samples.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

/// `ms` milliseconds of digital silence.
pub(crate) fn silence(ms: usize) -> Vec<f32> {
    vec![0.0; ms * 16]
}
