//! What the exit of ffmpeg or ffprobe and its error output mean: an error of this machine, or of the media.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::ExitStatus;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};
use tokio::task::JoinHandle;

use super::MediaError;

/// At most this many bytes of a line are kept.
const LINE_LIMIT: u64 = 4 * 1024;
/// Exit statuses with which ffmpeg ends after a signal that it handles.
const SIGNALLED: [i32; 2] = [255, 123];
/// What the operating system says when the machine fails, not the media.
const MACHINE_ERRORS: [&str; 6] = [
    "Cannot allocate memory",
    "No space left on device",
    "Disk quota exceeded",
    "Too many open files",
    "Resource temporarily unavailable",
    "Broken pipe",
];
/// An unreadable file, but also a demuxer's way to say that a file ends too early.
const READ_ERROR: &str = "Input/output error";
/// A packet that the decoder refused, in the words of ffmpeg 5 and of later versions.
const UNDECODED: [&str; 2] = ["Error while decoding", "Error submitting packet to decoder"];
/// A packet whose end is missing; the same of an element of Matroska.
const INCOMPLETE: [&str; 2] = ["corrupt input packet", "File ended prematurely"];
/// Said when a length follows from the file's size and a first bit rate.
const ESTIMATED: &str = "Estimating duration from bitrate";

/// What a tool wrote to its error output, with `-loglevel level+warning`.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// The last line that is more than a warning, without its prefix.
    pub(super) last_error: Option<String>,
    /// The first line that names an error of the machine.
    machine_error: Option<String>,
    read_error: bool,
    /// Packets that could not be decoded.
    pub(super) undecoded: u64,
    /// Packets, or the whole file, of which a part was missing.
    pub(super) incomplete: u64,
    /// Whether the length is an estimate.
    pub(super) estimated: bool,
    /// Whether an MP4 file has no index.
    pub(super) index_missing: bool,
}

impl Report {
    /// Reads a tool's error output while it runs, so that a full pipe never blocks it. Memory is bounded.
    pub(super) fn collect(pipe: impl AsyncRead + Unpin + Send + 'static) -> JoinHandle<Self> {
        tokio::spawn(async move {
            let mut report = Self::default();
            let mut pipe = BufReader::new(pipe);
            let mut line = Vec::new();
            while let Ok(1..) = (&mut pipe).take(LINE_LIMIT).read_until(b'\n', &mut line).await {
                report.add(&String::from_utf8_lossy(&line));
                line.clear();
            }
            report
        })
    }

    fn add(&mut self, line: &str) {
        let line = line.trim();
        if UNDECODED.iter().any(|text| line.contains(text)) {
            self.undecoded += 1;
        }
        self.incomplete += u64::from(INCOMPLETE.iter().any(|text| line.contains(text)));
        self.estimated |= line.contains(ESTIMATED);
        self.read_error |= line.contains(READ_ERROR);
        self.index_missing |= line.contains("moov atom not found");
        if self.machine_error.is_none() && MACHINE_ERRORS.iter().any(|error| line.contains(error)) {
            self.machine_error = Some(without_prefix(line).to_owned());
        }
        let more_than_a_warning = ["[error]", "[fatal]", "[panic]"].iter().any(|level| line.contains(level));
        if more_than_a_warning && !without_prefix(line).is_empty() {
            self.last_error = Some(without_prefix(line).to_owned());
        }
    }

    /// Whether anything was wrong with the media.
    pub(super) fn has_errors(&self) -> bool {
        self.last_error.is_some() || self.undecoded > 0
    }

    /// The last error, without paths of this machine.
    pub(super) fn detail(&self, input: &Path) -> String {
        let path = input.to_string_lossy();
        self.last_error.as_ref().map_or_else(
            || "ffmpeg gave no reason".to_owned(),
            |line| line.replace(&format!("file:{path}"), "the file").replace(path.as_ref(), "the file"),
        )
    }

    /// Fails if the machine, not the media, is why `program` ended as it did: it was killed, memory or disk were short, or
    /// the file cannot be read.
    pub(super) async fn check_machine(
        &self,
        program: &'static str,
        status: ExitStatus,
        input: &Path,
    ) -> Result<(), MediaError> {
        let failed = |detail: String| Err(MediaError::ToolFailed { program, detail });
        if let Some(signal) = status.signal() {
            return failed(format!("was killed (signal {signal}) before it was done"));
        }
        if status.code().is_some_and(|code| SIGNALLED.contains(&code)) {
            return failed("was stopped before it was done".to_owned());
        }
        if let Some(error) = &self.machine_error {
            let path = input.to_string_lossy();
            return failed(format!("reported: {}", error.replace(path.as_ref(), "the file")));
        }
        if self.read_error {
            let unreadable = |source| MediaError::Unreadable { path: input.to_owned(), source };
            let mut file = tokio::fs::File::open(input).await.map_err(unreadable)?;
            tokio::io::copy(&mut file, &mut tokio::io::sink()).await.map_err(unreadable)?;
        }
        Ok(())
    }
}

/// The text after `[aac @ 0x5581] [error]`.
fn without_prefix(line: &str) -> &str {
    line.rfind("] ").map_or(line, |at| if line.starts_with('[') { &line[at + 2..] } else { line }).trim()
}
