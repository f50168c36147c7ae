//! The options of a job, by kind of job. Those of a transcription have faster-whisper's names.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::language::AUTO;

/// The kind of a job, and the options of that kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum JobOptions {
    /// Captions of the speech in the media.
    Transcription(TranscriptionOptions),
}

/// Which text Whisper produces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// The words that are spoken.
    #[default]
    Transcribe,
    /// Their English translation.
    Translate,
}

impl Task {
    /// All tasks.
    pub const ALL: [Self; 2] = [Self::Transcribe, Self::Translate];

    /// Its name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transcribe => "transcribe",
            Self::Translate => "translate",
        }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that is not the name of a task.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a task; use transcribe, or translate for an English translation")]
pub struct UnknownTask(String);

impl FromStr for Task {
    type Err = UnknownTask;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|task| task.as_str() == text).ok_or_else(|| UnknownTask(text.to_owned()))
    }
}

/// Options of a transcription. The worker's setting applies to what is absent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TranscriptionOptions {
    /// Code of the spoken language, see [`crate::language`], or `auto`.
    pub language: String,
    /// Which text is produced.
    pub task: Task,
    /// Name of the requested model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Text that the model treats as spoken before the media, for names and style. The model takes 223 tokens, the hot
    /// words included; of a longer text it uses the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_prompt: Option<String>,
    /// Words to expect. The model takes 223 tokens; of more it uses the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hotwords: Option<String>,
    /// Whether the time of each word is determined too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub word_timestamps: Option<bool>,
    /// Number of the audio track of the media that is transcribed, counted from 1; without it the download worker chooses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio_track: Option<u32>,
}

impl Default for TranscriptionOptions {
    /// The words that are spoken, in the language that is detected.
    fn default() -> Self {
        Self {
            language: AUTO.to_owned(),
            task: Task::default(),
            model: None,
            initial_prompt: None,
            hotwords: None,
            word_timestamps: None,
            audio_track: None,
        }
    }
}
