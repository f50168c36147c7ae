//! yt-dlp as a child process: shut in, watched, and killed with everything it started.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdout};
use url::Url;

use super::blocked::step_error;
use super::classify::classify;
use super::media::Media;
use super::{DownloadSettings, Progress, options};
use crate::egress::{self, EgressProxy};
use crate::steps::error::StepError;

/// Extractor of `<video>` elements. It adds to the title of the page which of its recordings this is.
const EMBEDDED: &str = "HTML5MediaEmbed";
/// What it adds for the first, the only one that is asked for.
const FIRST_OF_PAGE: &str = " (1)";
/// How often the bytes on disk are counted: a server that tells no length must not fill it.
const WATCH: Duration = Duration::from_millis(500);
/// At most so much of what it says on stderr is kept, in bytes.
const STDERR_LIMIT: u64 = 64 * 1024;

/// Fetches the recording at `url` into `folder`.
pub(super) async fn fetch(
    url: &Url,
    folder: &Path,
    settings: &DownloadSettings,
    proxy: &EgressProxy,
    progress: &mut Progress<'_>,
) -> Result<Media, StepError> {
    let mut child = start(url, folder, settings, proxy)?;
    let group = ProcessGroup::of(&child);
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(StepError::disk(&std::io::Error::other("yt-dlp started without pipes")));
    };
    let mut complaints = Vec::new();
    let told = tokio::select! {
        (told, read) = async {
            // Read both to the end, side by side: a full pipe would block it.
            tokio::join!(listen(stdout, progress), collect(stderr, &mut complaints))
        } => {
            read.map_err(|error| StepError::disk(&error))?;
            told?
        }
        () = until_larger(folder, settings.max_bytes) => return Err(too_large(settings.max_bytes)),
    };
    let status = child.wait().await.map_err(|error| StepError::disk(&error))?;
    drop(group);
    match told.finished {
        Some(finished) if status.success() && finished.filepath.starts_with(folder) => Ok(finished.into_media()),
        // With `--max-filesize` it skips what is larger, without a word and without a error.
        None if status.success() && told.begun => Err(too_large(settings.max_bytes)),
        None if status.success() && told.live => Err(live()),
        // Where the proxy stopped it, that is the reason, however yt-dlp puts it.
        _ => Err(match proxy.blocked() {
            Some(blocked) => step_error(&blocked),
            None if status.success() => classify(NOTHING_THERE),
            None => classify(&String::from_utf8_lossy(&complaints)),
        }),
    }
}

/// What yt-dlp would say of a page whose list of recordings is empty, if it said anything.
const NOTHING_THERE: &str = "ERROR: No media found";

fn start(url: &Url, folder: &Path, settings: &DownloadSettings, proxy: &EgressProxy) -> Result<Child, StepError> {
    let mut command = options::command(url, folder, settings);
    command.envs(proxy.variables());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.process_group(0).kill_on_drop(true);
    egress::spawn(&mut command, proxy.port()).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => StepError::transient(
            "tool_missing",
            "The worker is not installed completely: `yt-dlp` was not found; install it \
             (pip install 'yt-dlp[default]') or name its path in the setting download.yt_dlp.",
        ),
        _ => StepError::disk(&error),
    })
}

/// Kills yt-dlp and all that it started when dropped.
struct ProcessGroup(Option<Pid>);

impl ProcessGroup {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw))
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // A group that is gone already is what is wanted.
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}

/// What yt-dlp told on stdout.
#[derive(Default)]
struct Told {
    live: bool,
    begun: bool,
    finished: Option<Finished>,
}

#[derive(Deserialize)]
struct Finished {
    title: Option<String>,
    extractor_key: String,
    filepath: PathBuf,
}

impl Finished {
    fn into_media(self) -> Media {
        let title = self.title.map(|title| match title.strip_suffix(FIRST_OF_PAGE) {
            Some(of_page) if self.extractor_key == EMBEDDED => of_page.to_owned(),
            _ => title,
        });
        Media { path: self.filepath, title }
    }
}

/// Numbers may be fractions, for estimates.
#[derive(Deserialize)]
struct Arrived {
    downloaded_bytes: Option<f64>,
    total_bytes: Option<f64>,
    total_bytes_estimate: Option<f64>,
}

async fn listen(stdout: ChildStdout, progress: &mut Progress<'_>) -> Result<Told, StepError> {
    let mut told = Told::default();
    let mut lines = BufReader::new(stdout).lines();
    while let Some(line) = lines.next_line().await.map_err(|error| StepError::disk(&error))? {
        if let Some(arrived) = line.strip_prefix("P ").and_then(|json| serde_json::from_str::<Arrived>(json).ok()) {
            if let (Some(bytes), Some(total)) =
                (arrived.downloaded_bytes, arrived.total_bytes.or(arrived.total_bytes_estimate))
            {
                progress.report(whole(bytes), whole(total));
            }
        } else if let Some(finished) = line.strip_prefix("M ").and_then(|json| serde_json::from_str(json).ok()) {
            told.finished = Some(finished);
        } else if line.starts_with("B ") {
            told.begun = true;
        } else if line == "L true" {
            told.live = true;
        }
    }
    Ok(told)
}

/// Keeps the beginning of what yt-dlp complains of, and lets the rest pass.
async fn collect(stderr: ChildStderr, complaints: &mut Vec<u8>) -> std::io::Result<()> {
    let mut limited = stderr.take(STDERR_LIMIT);
    limited.read_to_end(complaints).await?;
    tokio::io::copy(&mut limited.into_inner(), &mut tokio::io::sink()).await?;
    Ok(())
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts of bytes, never negative")]
fn whole(bytes: f64) -> u64 {
    bytes as u64
}

/// Returns when the files in `folder` have more bytes than allowed.
async fn until_larger(folder: &Path, max_bytes: u64) {
    loop {
        tokio::time::sleep(WATCH).await;
        let bytes: u64 = std::fs::read_dir(folder)
            .map(|files| files.flatten().filter_map(|file| Some(file.metadata().ok()?.len())).sum())
            .unwrap_or_default();
        if bytes > max_bytes {
            return;
        }
    }
}

fn live() -> StepError {
    let message = "This is a live broadcast, which has no end: send its recording when it is over.";
    StepError::permanent("live_broadcast", message)
}

fn too_large(max_bytes: u64) -> StepError {
    let mebibytes = max_bytes / (1024 * 1024);
    StepError::permanent("too_large", format!("The recording is larger than {mebibytes} MiB: send a smaller one."))
}
