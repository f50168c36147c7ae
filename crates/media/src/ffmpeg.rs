//! ffmpeg and ffprobe with what is common to all calls: no standard input, local files only, and what their exit means.

use std::ffi::OsString;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use super::MediaError;

/// Containers that may be opened. Playlists and scripts (HLS, concat, image sequences, text) are left
/// out on purpose: they make ffmpeg open other files than the one it was given.
const FORMATS: &str = "mov,mp4,matroska,webm,ogg,wav,w64,flac,mp3,aac,ac3,eac3,dts,truehd,flv,avi,\
    asf,mpeg,mpegts,mpegvideo,aiff,au,caf,amr,amrnb,amrwb,wv,ape,tta,rm,nut,mxf,dv,sox,voc,gsm,tak";

/// At most this many bytes of a tool's error output are kept.
const STDERR_LIMIT: usize = 16 * 1024;

/// A command that reads `input` and nothing else.
pub(super) fn command(program: &'static str, before_input: &[&str], input: &Path) -> Command {
    let mut command = Command::new(program);
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
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Ctrl-C in a terminal is for the program alone, which lets running work end.
        .process_group(0)
        .kill_on_drop(true);
    command
}

/// Starts the command. A missing program is an error of its own.
pub(super) fn spawn(program: &'static str, mut command: Command) -> Result<Child, MediaError> {
    command.spawn().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => MediaError::ToolMissing { program },
        _ => MediaError::Io(error),
    })
}

/// Collects a tool's error output while it runs, so that a full pipe never blocks it.
pub(super) fn collect(mut pipe: impl AsyncRead + Unpin + Send + 'static) -> JoinHandle<String> {
    tokio::spawn(async move {
        let mut kept = Vec::new();
        let mut buffer = [0_u8; 4096];
        while let Ok(read @ 1..) = pipe.read(&mut buffer).await {
            let room = STDERR_LIMIT.saturating_sub(kept.len());
            kept.extend_from_slice(&buffer[..read.min(room)]);
        }
        String::from_utf8_lossy(&kept).into_owned()
    })
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
