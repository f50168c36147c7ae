//! What is asked of the transcription, in faster-whisper's words.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::language::AUTO;

/// What the text is to be.
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

    /// The word used in JSON.
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

/// A word that names no task.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no task; use transcribe, or translate for an English translation")]
pub struct UnknownTask(String);

impl FromStr for Task {
    type Err = UnknownTask;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|task| task.as_str() == text).ok_or_else(|| UnknownTask(text.to_owned()))
    }
}

/// What is asked of the transcription. What is absent is as the worker is set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TranscriptionOptions {
    /// Code of the spoken language, see [`crate::language`], or `auto`.
    pub language: String,
    /// What the text is to be.
    pub task: Task,
    /// Name of the model asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Text as if it had been said before, for names and style. Of a text longer than the model takes (223 tokens,
    /// the hot words included) the end counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_prompt: Option<String>,
    /// Words to expect. Of more than the model takes (223 tokens) the first count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hotwords: Option<String>,
    /// Whether the time of each word is wanted too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub word_timestamps: Option<bool>,
}

impl Default for TranscriptionOptions {
    /// The words that are spoken, in whatever language they are.
    fn default() -> Self {
        Self {
            language: AUTO.to_owned(),
            task: Task::default(),
            model: None,
            initial_prompt: None,
            hotwords: None,
            word_timestamps: None,
        }
    }
}
