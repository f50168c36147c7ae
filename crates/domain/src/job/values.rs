//! Values that job commands and events consist of.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;
use utoipa::ToSchema;

/// Where the media comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum MediaSource {
    /// A page or media file that yt-dlp can fetch.
    Url {
        /// URL with the scheme `http` or `https`.
        url: Url,
    },
    /// A file that was uploaded to the blob store.
    Upload {
        /// Key of the blob.
        key: String,
        /// Name the client gave the file; for display only, never a path.
        file_name: String,
        /// Size in bytes.
        bytes: u64,
        /// SHA-256 of the content, lower-case hex.
        sha256: String,
    },
}

/// How urgent a job is; also the routing token of its events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Goes before the others.
    High,
    /// The default.
    #[default]
    Normal,
    /// Waits for the others, and still gets one turn in ten.
    Low,
}

impl Priority {
    /// All priorities, most urgent first.
    pub const ALL: [Self; 3] = [Self::High, Self::Normal, Self::Low];

    /// Its name in JSON and in subjects.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Normal => "normal",
            Self::Low => "low",
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that is not the name of a priority.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a priority; use high, normal or low")]
pub struct UnknownPriority(String);

impl FromStr for Priority {
    type Err = UnknownPriority;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|p| p.as_str() == text).ok_or_else(|| UnknownPriority(text.to_owned()))
    }
}

/// The stored audio of a job: 16 kHz mono.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Audio {
    /// Key of the blob.
    pub key: String,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 of the content, lower-case hex.
    pub sha256: String,
    /// Length in milliseconds.
    pub duration_ms: u64,
}

/// What a completed job has produced, by kind of job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum JobResult {
    /// Captions, stored chunk by chunk in the job's events.
    Transcription {
        /// Code of the language of most of the speech, see [`crate::language`], or `und` where there is none.
        language: String,
        /// Length of the media in milliseconds.
        duration_ms: u64,
        /// Number of segments in all chunks.
        segments: u32,
    },
}

/// Why an attempt failed, for the person who submitted the job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct Failure {
    /// Stable code for programs, in `snake_case`, for example `no_audio_track`.
    pub code: String,
    /// What happened and what to do next, one or two sentences.
    pub message: String,
}

/// Code of the [`Warning`] that the media is silent.
pub const SILENT_AUDIO: &str = "silent_audio";

/// What is wrong with media whose job continues all the same, for the person who submitted the job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Warning {
    /// Stable code for programs, in `snake_case`, for example `truncated_media`.
    pub code: String,
    /// What is wrong and what to do next, one or two sentences.
    pub message: String,
}
