//! Whether a model is sound: files, checksums, loading, and one try.

use std::ops::ControlFlow;

use ytcaption_whisper::{ModelError, ModelInfo, ModelSettings, TranscribeError, TranscribeOptions, Transcriber};

use crate::Entry;

/// Samples of the sound that is tried, 16 kHz: one second is the least the encoder takes.
const TRIAL_SAMPLES: usize = 16_000;
/// A loudness that no detector of speech takes for silence; what is heard in it does not matter.
const TRIAL_LOUDNESS: f32 = 0.1;

/// A model that works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// What it is.
    pub info: ModelInfo,
}

/// What is wrong with a model.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Its files, or loading them.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// It loads, and does not work.
    #[error("it loads, but does not work: {0}")]
    Trial(#[from] TranscribeError),
}

/// Checks a model from its files to a word. Blocks for as long as reading and loading it takes.
pub fn verify(entry: &Entry, settings: &ModelSettings) -> Result<Verified, VerifyError> {
    let settings = ModelSettings { inter_threads: 1, ..settings.clone() };
    let info = entry.info(&ModelSettings { verify_checksums: true, ..settings.clone() })?;
    let model = Transcriber::load(&entry.folder, &ModelSettings { verify_checksums: false, ..settings })?;
    let options = TranscribeOptions {
        vad_filter: false,
        beam_size: 1,
        temperature: vec![0.0],
        chunk_length: Some(1),
        ..TranscribeOptions::default()
    };
    let wave = |sample: usize| if sample % 100 < 50 { TRIAL_LOUDNESS } else { -TRIAL_LOUDNESS };
    let sound: Vec<f32> = (0..TRIAL_SAMPLES).map(wave).collect();
    model.transcribe(&sound, &options, &mut |_| ControlFlow::Continue(()))?;
    Ok(Verified { info })
}
