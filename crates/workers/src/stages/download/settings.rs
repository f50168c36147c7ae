//! Settings of the download stage.

use std::path::PathBuf;
use std::time::Duration;

use crate::stages::attempt::RetrySettings;

/// How recordings are fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DownloadSettings {
    /// Recordings fetched at a time.
    pub concurrency: usize,
    /// The yt-dlp program: a name on the PATH, or a path.
    pub yt_dlp: PathBuf,
    /// Each attempt makes a folder of its own here and removes it.
    pub work_dir: PathBuf,
    /// Longest time one attempt may take.
    pub timeout: Duration,
    /// Largest recording, in bytes.
    pub max_bytes: u64,
    /// Longest recording.
    pub max_duration: Duration,
    /// How often it is tried.
    pub retry: RetrySettings,
}

impl Default for DownloadSettings {
    fn default() -> Self {
        Self {
            concurrency: 2,
            yt_dlp: "yt-dlp".into(),
            work_dir: std::env::temp_dir(),
            timeout: Duration::from_mins(30),
            max_bytes: 2 * 1024 * 1024 * 1024,
            max_duration: Duration::from_hours(12),
            retry: RetrySettings::default(),
        }
    }
}
