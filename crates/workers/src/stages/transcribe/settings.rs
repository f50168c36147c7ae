//! Settings of the transcription stage.

use std::path::PathBuf;

use ytcaption_whisper::{CacheSettings, TranscribeOptions};

use crate::stages::attempt::RetrySettings;

/// How chunks are transcribed.
#[derive(Debug, Clone, PartialEq)]
pub struct TranscribeSettings {
    /// Chunks transcribed at a time; if absent, one for each replica of the default model.
    pub concurrency: Option<usize>,
    /// Which models there are and how they are loaded.
    pub models: CacheSettings,
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
    /// The defaults with models, for which there is none.
    pub fn with_models(models: CacheSettings) -> Self {
        Self {
            concurrency: None,
            models,
            options: TranscribeOptions::default(),
            cache_dir: std::env::temp_dir(),
            cache_bytes: 1024 * 1024 * 1024,
            retry: RetrySettings::default(),
        }
    }
}
