//! Starting ffmpeg and ffprobe with what is common to all calls: no stdin, local files only.

use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use super::AudioError;

/// Containers that may be opened. Playlists and scripts (HLS, concat, image sequences, text) are left
/// out on purpose: they make ffmpeg open other files than the one it was given.
const FORMATS: &str = "mov,mp4,matroska,webm,ogg,wav,w64,flac,mp3,aac,ac3,eac3,dts,truehd,flv,avi,\
    asf,mpeg,mpegts,mpegvideo,aiff,au,caf,amr,amrnb,amrwb,wv,ape,tta,rm,nut,mxf,dv,sox,voc,gsm,tak";

/// At most so much of what a tool prints on stderr is kept.
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

/// Starts the command; a missing program is told apart from other faults.
pub(super) fn spawn(program: &'static str, mut command: Command) -> Result<Child, AudioError> {
    command.spawn().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => AudioError::ToolMissing { program },
        _ => AudioError::Io(error),
    })
}

/// Collects a tool's complaints while it runs, so that a full pipe never blocks it.
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

/// The last line a person can use of what ffmpeg printed, without paths of this machine.
pub(super) fn last_words(stderr: &str, input: &Path) -> String {
    let path = input.to_string_lossy();
    stderr.lines().map(str::trim).rfind(|line| !line.is_empty()).map_or_else(
        || "ffmpeg gave no reason".to_owned(),
        |line| line.replace(&format!("file:{path}"), "the file").replace(path.as_ref(), "the file"),
    )
}

/// Refuses what need not be shown to ffmpeg: a missing or empty file.
pub(super) async fn check_readable(input: &Path) -> Result<(), AudioError> {
    let unreadable = |source| AudioError::Unreadable { path: input.to_owned(), source };
    let metadata = tokio::fs::metadata(input).await.map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(unreadable(std::io::Error::from(std::io::ErrorKind::IsADirectory)));
    }
    if metadata.is_file() && metadata.len() == 0 {
        return Err(AudioError::Empty);
    }
    Ok(())
}
