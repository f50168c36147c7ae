//! How chunks are transcribed: the section `[transcription]` of the settings.
#![expect(clippy::doc_markdown, reason = "these texts are comments in ytcaption.toml, which is not Markdown")]

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::steps::attempt::RetrySettings;

/// Transcribing audio with a Whisper model in CTranslate2 format.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TranscribeSettings {
    /// The model of jobs that name none: the name of one in models.directory, or a directory of its own.
    /// Default: the first in models.directory, else `model` in data_dir, else the demo model of a checkout.
    #[schemars(example = &"faster-whisper-small")]
    pub model: Option<PathBuf>,
    /// Threads of one replica of a model. 0: one, or more where memory allows fewer replicas than cores.
    #[schemars(range(min = 0, max = 256))]
    pub threads: usize,
    /// Chunks that one process transcribes at a time, and replicas of a model that it loads.
    /// 0: as many as cores (divided by threads) and memory allow.
    #[schemars(range(min = 0, max = 64))]
    pub concurrency: usize,
    /// Hypotheses followed at a time; 1 is fastest, 5 is most accurate.
    #[schemars(range(min = 1, max = 20))]
    pub beam_size: usize,
    /// Audio is kept here for further chunks of its job, by each process in a directory of its own.
    /// A relative path is within data_dir.
    pub cache_dir: PathBuf,
    /// Most audio that is kept beside what is being transcribed, in bytes.
    #[schemars(range(min = 0, max = 1_099_511_627_776_u64))]
    pub cache_bytes: u64,
    /// How often and how fast a failed attempt is repeated.
    #[serde(skip)]
    pub retry: RetrySettings,
}

impl Default for TranscribeSettings {
    fn default() -> Self {
        Self {
            model: None,
            threads: 0,
            concurrency: 0,
            beam_size: 5,
            cache_dir: "work".into(),
            cache_bytes: 1024 * 1024 * 1024,
            retry: RetrySettings::default(),
        }
    }
}
