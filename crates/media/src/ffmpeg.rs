//! ffmpeg and ffprobe with what is common to all calls: no standard input, local files only, and what their exit means.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use tokio::process::ChildStderr;
use tokio::task::JoinHandle;
use ytcaption_children::{Child, ChildCommand, Limits, collect_tail};

use super::MediaError;

/// Containers that may be opened. Playlists and scripts (HLS, concat, image sequences, text) are left
/// out on purpose: they make ffmpeg open other files than the one it was given.
const FORMATS: &str = "mov,mp4,matroska,webm,ogg,wav,w64,flac,mp3,aac,ac3,eac3,dts,truehd,flv,avi,\
    asf,mpeg,mpegts,mpegvideo,aiff,au,caf,amr,amrnb,amrwb,wv,ape,tta,rm,nut,mxf,dv,sox,voc,gsm,tak";

/// At most this many bytes of a tool's error output are kept.
const STDERR_LIMIT: usize = 16 * 1024;

/// What a call may use. The index of a video of 12 hours, with 60 pictures a second, needs 0.2 GB; a file of two kilobytes
/// can claim one of any size. A file of 48 hours, the longest that can be permitted, has less than 8 GiB as FLAC.
const LIMITS: Limits = Limits { memory_bytes: 1 << 30, cpu: Duration::from_hours(2), file_bytes: 8 << 30 };

/// At most this many bytes of a line of progress are read.
pub(super) const LINE_LIMIT: usize = 4 * 1024;

/// A command that can read `input` and nothing else.
pub(super) fn command(program: &'static str, before_input: &[&str], input: &Path) -> ChildCommand {
    let mut command = ChildCommand::new(program, LIMITS);
    if program == "ffmpeg" {
        command.arg("-nostdin");
    }
    // `file:` keeps a name such as `-x.mp4` or `http:evil` from being read as anything but a path.
    let mut url = OsString::from("file:");
    url.push(input);
    command
        .args(["-hide_banner", "-v", "error", "-protocol_whitelist", "file,pipe"])
        .args(["-format_whitelist", FORMATS])
        .args(before_input)
        .arg("-i")
        .arg(url)
        .reads(input);
    command
}

/// Starts the command. A missing program is an error of its own.
pub(super) fn spawn(program: &'static str, command: &ChildCommand) -> Result<Child, MediaError> {
    command.spawn().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => MediaError::ToolMissing { program },
        _ => MediaError::Io(error),
    })
}

/// Collects a tool's error output while it runs, so that a full pipe never blocks it.
pub(super) fn collect(pipe: ChildStderr) -> JoinHandle<String> {
    collect_tail(pipe, STDERR_LIMIT)
}

/// The last line of ffmpeg's error output, without paths of this machine.
pub(super) fn last_line(stderr: &str, input: &Path) -> String {
    let path = input.to_string_lossy();
    stderr.lines().map(str::trim).rfind(|line| !line.is_empty()).map_or_else(
        || "ffmpeg gave no reason".to_owned(),
        |line| line.replace(&format!("file:{path}"), "the file").replace(path.as_ref(), "the file"),
    )
}

/// Fails for what ffmpeg need not be started for: a missing or empty file.
pub(super) async fn check_readable(input: &Path) -> Result<(), MediaError> {
    let unreadable = |source| MediaError::Unreadable { path: input.to_owned(), source };
    let metadata = tokio::fs::metadata(input).await.map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(unreadable(std::io::Error::from(std::io::ErrorKind::IsADirectory)));
    }
    if metadata.is_file() && metadata.len() == 0 {
        return Err(MediaError::Empty);
    }
    Ok(())
}

/// A file may end this much before its headers claim and still count as whole: encoders pad.
const TOLERATED_SHORTFALL_MS: u64 = 1_000;

/// Why a file from which `decoded_ms` of audio came counts as truncated; `None` if it is whole. `expected_ms` is the
/// length that its headers claim.
pub(super) fn truncation(
    expected_ms: Option<u64>,
    decoded_ms: u64,
    status: ExitStatus,
    stderr: &str,
    input: &Path,
) -> Option<String> {
    match expected_ms {
        Some(expected_ms) if expected_ms > decoded_ms + TOLERATED_SHORTFALL_MS => Some(format!(
            "the file promises {} of sound and holds {}: its end seems cut off",
            human(expected_ms),
            human(decoded_ms)
        )),
        _ if !status.success() => Some(last_line(stderr, input)),
        _ => None,
    }
}

/// Milliseconds for people: `12.3 s`.
fn human(ms: u64) -> String {
    format!("{}.{} s", ms / 1000, ms % 1000 / 100)
}
