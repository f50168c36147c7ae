//! What can be wrong with a media file, and what its owner can do about it.

use std::path::PathBuf;

/// No audio could be read from a file.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// ffmpeg or ffprobe is not installed.
    #[error("`{program}` was not found: install ffmpeg (on Debian: apt-get install ffmpeg)")]
    ToolMissing {
        /// `ffmpeg` or `ffprobe`.
        program: &'static str,
    },
    /// The file does not exist, is a directory, or this process may not read it.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// The file has no bytes.
    #[error("the file is empty (0 bytes): send an audio or video file")]
    Empty,
    /// ffmpeg does not recognise the content.
    #[error("this is not an audio or video file that can be read: {detail}")]
    NotMedia {
        /// The last line of ffmpeg's error output.
        detail: String,
    },
    /// An MP4 file without its index, which many programs write at the end.
    #[error("the file is cut off: its index, which is stored at its end, is missing")]
    IndexMissing,
    /// A video without sound.
    #[error("the file has no audio track: there is nothing to transcribe")]
    NoAudioTrack,
    /// There is no track with the requested number.
    #[error("the file has no audio track with the number {number}: it has {tracks}")]
    UnknownTrack {
        /// The number, counted from 1.
        number: u32,
        /// Those that there are, with language and title.
        tracks: String,
    },
    /// The audio track has a length of zero.
    #[error("the audio track is empty: there is nothing to transcribe")]
    NoSound,
    /// The sound is encrypted.
    #[error("the sound is protected by digital rights management (DRM): send a file without it")]
    Protected,
    /// There is more sound than is permitted.
    #[error("the media is longer than {}: send a part of it", in_words(*max_ms))]
    TooLong {
        /// Milliseconds that are permitted.
        max_ms: u64,
    },
    /// There is an audio track, but not one sample could be decoded from it.
    #[error("the audio track could not be decoded: {detail}")]
    Undecodable {
        /// The last line of ffmpeg's error output.
        detail: String,
    },
    /// Audio that is known to exist could not be read.
    #[error("part of the audio could not be read: {detail}")]
    Incomplete {
        /// Which part is missing.
        detail: String,
    },
    /// ffmpeg or ffprobe did not do its work, and the media is not why.
    #[error("`{program}` {detail}: the machine may be short of memory or disk space")]
    ToolFailed {
        /// `ffmpeg` or `ffprobe`.
        program: &'static str,
        /// What happened to it.
        detail: String,
    },
    /// The pipe to ffmpeg or the disk failed.
    #[error("reading audio through ffmpeg failed: {0}")]
    Io(#[from] std::io::Error),
}

impl MediaError {
    /// Whether the same file would fail again, so that a retry is of no use.
    pub fn is_permanent(&self) -> bool {
        !matches!(
            self,
            Self::ToolMissing { .. }
                | Self::ToolFailed { .. }
                | Self::Unreadable { .. }
                | Self::Incomplete { .. }
                | Self::Io(_)
        )
    }
}

/// A duration in minutes or seconds.
fn in_words(ms: u64) -> String {
    match ms / 1000 {
        seconds if seconds >= 60 && seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}
