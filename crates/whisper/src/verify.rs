//! Checking a model: its files, their checksums, loading it, and one transcription.

use std::ops::ControlFlow;

use ytcaption_models::{Checksums, ModelEntry, ModelInfo, ModelSettings};

use crate::{LoadError, TranscribeError, TranscribeOptions, Transcriber};

/// Samples of the trial, 16 kHz: one second is the shortest window.
const TRIAL_SAMPLES: usize = 16_000;
/// Amplitude of the trial; its text does not matter.
const TRIAL_AMPLITUDE: f32 = 0.1;

/// A model does not work.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Its files are broken, or it cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// It loads, but the transcription failed.
    #[error("it loads, but does not work: {0}")]
    Trial(#[from] TranscribeError),
}

/// Checks a model from its files to a transcription of one second. Blocks for as long as reading and loading it takes.
///
/// # Errors
/// Its files or their checksums are wrong, it cannot be loaded with `settings`, or the transcription fails.
pub fn verify(entry: &ModelEntry, settings: &ModelSettings) -> Result<ModelInfo, VerifyError> {
    let info = entry.info(Checksums::Verify).map_err(LoadError::from)?;
    let settings = ModelSettings { inter_threads: 1, verify_checksums: false, ..settings.clone() };
    let model = Transcriber::load(&entry.directory, &settings)?;
    let options = TranscribeOptions {
        vad_filter: false,
        beam_size: 1,
        temperature: vec![0.0],
        chunk_length: Some(1),
        ..TranscribeOptions::default()
    };
    let wave = |sample: usize| if sample % 100 < 50 { TRIAL_AMPLITUDE } else { -TRIAL_AMPLITUDE };
    let samples: Vec<f32> = (0..TRIAL_SAMPLES).map(wave).collect();
    model.transcribe(&samples, &options, &mut |_| ControlFlow::Continue(()))?;
    Ok(info)
}
