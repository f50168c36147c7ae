//! What can be wrong with a media file, said so that its owner knows what to do.

use std::path::PathBuf;

/// Why no audio came out of a file.
#[derive(Debug, thiserror::Error)]
pub enum AudioError {
    /// ffmpeg or ffprobe is not installed.
    #[error("`{program}` was not found: install ffmpeg (on Debian: apt-get install ffmpeg)")]
    ToolMissing {
        /// The program looked for.
        program: &'static str,
    },
    /// The file is not there or may not be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file has no bytes.
    #[error("the file is empty (0 bytes): send an audio or video file")]
    Empty,
    /// ffmpeg does not recognise the content.
    #[error("this is not an audio or video file that can be read: {detail}")]
    NotMedia {
        /// ffmpeg's own words.
        detail: String,
    },
    /// An MP4 file without its index, which many programs write at the end.
    #[error("the file is cut off: its index, which stands at its end, is missing")]
    CutOff,
    /// A video without sound.
    #[error("the file has no audio track: there is nothing to transcribe")]
    NoAudioTrack,
    /// There is an audio track, but not one sample could be decoded from it.
    #[error("the audio track could not be decoded: {detail}")]
    Undecodable {
        /// ffmpeg's own words.
        detail: String,
    },
    /// Sound that is known to be there could not be read.
    #[error("part of the sound could not be read: {detail}")]
    Incomplete {
        /// What is missing.
        detail: String,
    },
    /// The pipe to ffmpeg or the disk failed.
    #[error("reading audio through ffmpeg failed: {0}")]
    Io(#[from] std::io::Error),
}

impl AudioError {
    /// Whether the same file would fail again: then trying once more is of no use.
    pub fn is_permanent(&self) -> bool {
        !matches!(self, Self::ToolMissing { .. } | Self::Unreadable { .. } | Self::Incomplete { .. } | Self::Io(_))
    }
}
