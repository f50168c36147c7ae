//! Settings of the transcription stage.

use std::path::PathBuf;

use ytcaption_whisper::{ModelSettings, TranscribeOptions};

use crate::stages::attempt::RetrySettings;

/// How chunks are transcribed.
#[derive(Debug, Clone, PartialEq)]
pub struct TranscribeSettings {
    /// Chunks transcribed at a time.
    pub concurrency: usize,
    /// The model's folder.
    pub model: PathBuf,
    /// How the model is loaded.
    pub model_settings: ModelSettings,
    /// What is asked of it; the language comes from the job.
    pub options: TranscribeOptions,
    /// Audio is kept here for the chunks of a job that follow; each process has a folder of its own within.
    pub cache_dir: PathBuf,
    /// At most so much audio is kept, in bytes, beside what is being transcribed.
    pub cache_bytes: u64,
    /// How often a chunk is tried.
    pub retry: RetrySettings,
}

impl TranscribeSettings {
    /// The defaults with a model, for which there is none.
    pub fn with_model(model: impl Into<PathBuf>) -> Self {
        Self {
            concurrency: 1,
            model: model.into(),
            model_settings: ModelSettings::default(),
            options: TranscribeOptions::default(),
            cache_dir: std::env::temp_dir(),
            cache_bytes: 1024 * 1024 * 1024,
            retry: RetrySettings::default(),
        }
    }
}
