//! How media is downloaded: the section `[download]` of the settings.
#![expect(clippy::doc_markdown, reason = "these texts are comments in ytcaption.toml, which is not Markdown")]

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_with::{DurationSeconds, serde_as};

use crate::steps::attempt::RetrySettings;

/// Downloading media with yt-dlp and converting it into audio with ffmpeg.
#[serde_as]
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DownloadSettings {
    /// Downloads that one process runs at a time.
    #[schemars(range(min = 1, max = 64))]
    pub concurrency: usize,
    /// The yt-dlp program: a name on the PATH, or a path.
    pub yt_dlp: PathBuf,
    /// Each attempt creates a directory of its own here and removes it. A relative path is within data_dir.
    pub work_dir: PathBuf,
    /// Longest time that one attempt may take.
    #[serde(rename = "timeout_seconds")]
    #[serde_as(as = "DurationSeconds<u64>")]
    #[schemars(range(min = 10, max = 86_400))]
    pub timeout: Duration,
    /// Largest file that is downloaded, in bytes.
    #[schemars(range(min = 1024, max = 1_099_511_627_776_u64))]
    pub max_bytes: u64,
    /// Longest media that is accepted.
    #[serde(rename = "max_duration_seconds")]
    #[serde_as(as = "DurationSeconds<u64>")]
    #[schemars(range(min = 1, max = 172_800))]
    pub max_duration: Duration,
    /// Processor time of yt-dlp until the media itself begins to arrive.
    #[serde(skip)]
    pub page_cpu: Duration,
    /// How often and how fast a failed attempt is repeated.
    #[serde(skip)]
    pub retry: RetrySettings,
}

impl Default for DownloadSettings {
    fn default() -> Self {
        Self {
            concurrency: 2,
            yt_dlp: "yt-dlp".into(),
            work_dir: "work".into(),
            timeout: Duration::from_mins(30),
            max_bytes: 2 * 1024 * 1024 * 1024,
            max_duration: Duration::from_hours(12),
            page_cpu: Duration::from_mins(1),
            retry: RetrySettings::default(),
        }
    }
}
