//! yt-dlp as a child process: started, watched, and what it prints.

use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde::Deserialize;
use serde_with::{Bytes, serde_as};
use tokio::process::ChildStdout;
use url::Url;
use ytcaption_children::{Child, ChildCommand, Lines, collect_tail};
use ytcaption_domain::text::{self, MAX_TITLE_CHARS};

use super::blocked::blocked_connection;
use super::classify::classify;
use super::{DownloadSettings, Progress, options, playlist};
use crate::egress::EgressProxy;
use crate::steps::error::StepError;

/// Extractor of `<video>` elements. It appends the number of the element to the title of the page.
const EMBEDDED: &str = "HTML5MediaEmbed";
/// What it appends for the first, where there is but one.
const FIRST_OF_PAGE: &[u8] = b" (1)";
/// How often the bytes on disk are counted: a server that sends no length must not fill the disk.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);
/// Bytes of its stderr that are kept at most.
const STDERR_LIMIT: usize = 64 * 1024;
/// Bytes of a line of its stdout that are kept at most: a page may have a title of millions of characters.
const LINE_LIMIT: usize = 16 * 1024 * 1024;

/// A downloaded file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Media {
    /// Its path, in the attempt's own directory.
    pub(super) path: PathBuf,
    /// The title of the media, if the source has one.
    pub(super) title: Option<String>,
}

/// Downloads the media at `url` into `directory`.
pub(super) async fn download(
    url: &Url,
    directory: &Path,
    settings: &DownloadSettings,
    proxy: &EgressProxy,
    progress: &mut Progress<'_>,
) -> Result<Media, StepError> {
    let mut child = spawn(options::download(url, directory, settings), proxy)?;
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(StepError::disk(&std::io::Error::other("yt-dlp started without pipes")));
    };
    let stderr = collect_tail(stderr, STDERR_LIMIT);
    let output = tokio::select! {
        output = read_output(stdout, &child, progress) => output?,
        () = until_larger(directory, settings.max_bytes) => return Err(too_large(settings.max_bytes)),
    };
    if output.several() {
        drop(child);
        return Err(playlist::several(url, output.found.playlist_count, directory, settings, proxy).await?);
    }
    let status = child.wait().await.map_err(|error| StepError::disk(&error))?;
    let stderr = stderr.await.unwrap_or_default();
    match output.finished {
        Some(finished) if status.success() && finished.filepath.starts_with(directory) => Ok(finished.into_media()),
        // With `--max-filesize` it skips a larger file without a message and without an error.
        None if status.success() && output.begun => Err(too_large(settings.max_bytes)),
        None if status.success() && output.found.is_live == Some(true) => Err(live()),
        // Where the proxy refused a connection, that is the reason, whatever yt-dlp reports.
        _ => Err(match proxy.blocked() {
            Some(blocked) => blocked_connection(&blocked),
            None if status.success() => classify(NO_MEDIA),
            None => status.signal().map_or_else(|| classify(&stderr), killed),
        }),
    }
}

/// What yt-dlp would report for a page without media, if it reported anything.
const NO_MEDIA: &str = "ERROR: No media found";

/// Starts a command of [`options`], which reaches nothing but the proxy.
pub(super) fn spawn(mut command: ChildCommand, proxy: &EgressProxy) -> Result<Child, StepError> {
    command.envs(proxy.variables()).connects_to(proxy.port());
    command.spawn().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => StepError::transient(
            "tool_missing",
            "The worker is not installed completely: `yt-dlp` was not found; install it \
             (pip install 'yt-dlp[default]') or name its path in the setting download.yt_dlp.",
        ),
        _ => StepError::disk(&error),
    })
}

/// What yt-dlp has written to stdout, see [`options`].
#[derive(Default)]
struct Output {
    found: Found,
    begun: bool,
    finished: Option<Finished>,
}

impl Output {
    /// Whether there are several media at the URL.
    fn several(&self) -> bool {
        self.found.n_entries.is_some_and(|count| count > 1)
    }
}

/// What the page has.
#[derive(Default, Deserialize)]
struct Found {
    is_live: Option<bool>,
    /// Media that would be downloaded; absent where there is but one.
    n_entries: Option<u64>,
    /// All media, if yt-dlp knows their number.
    playlist_count: Option<u64>,
}

#[serde_as]
#[derive(Deserialize)]
struct Finished {
    /// In bytes: a page may have a lone surrogate in its title, and that cannot be a `String`.
    #[serde_as(as = "Option<Bytes>")]
    title: Option<Vec<u8>>,
    extractor_key: String,
    filepath: PathBuf,
}

impl Finished {
    fn into_media(self) -> Media {
        let title = self.title.unwrap_or_default();
        let title = match title.strip_suffix(FIRST_OF_PAGE) {
            Some(page_title) if self.extractor_key == EMBEDDED => page_title,
            _ => &title,
        };
        let title = text::clean_bytes(title, MAX_TITLE_CHARS);
        Media { path: self.filepath, title: (!title.is_empty()).then_some(title) }
    }
}

/// Progress of a download. Estimates may be fractions.
#[derive(Deserialize)]
struct ProgressLine {
    downloaded_bytes: Option<f64>,
    total_bytes: Option<f64>,
    total_bytes_estimate: Option<f64>,
}

/// Reads until the end, or until it is known that there are several media.
async fn read_output(stdout: ChildStdout, child: &Child, progress: &mut Progress<'_>) -> Result<Output, StepError> {
    let mut output = Output::default();
    let mut lines = Lines::new(stdout, LINE_LIMIT);
    while let Some(line) = lines.next_line().await.map_err(|error| StepError::disk(&error))? {
        if let Some(line) = line.strip_prefix("P ").and_then(|json| serde_json::from_str::<ProgressLine>(json).ok()) {
            if let (Some(bytes), Some(total)) = (line.downloaded_bytes, line.total_bytes.or(line.total_bytes_estimate))
            {
                progress.report(whole(bytes), whole(total));
            }
        } else if let Some(finished) = line.strip_prefix("M ").and_then(|json| serde_json::from_str(json).ok()) {
            output.finished = Some(finished);
        } else if line.starts_with("B ") {
            output.begun = true;
            // An error says that it has ended, which the end of its output says too.
            let _ = child.allow_cpu();
        } else if let Some(found) = line.strip_prefix("L ").and_then(|json| serde_json::from_str(json).ok()) {
            output.found = found;
            if output.several() {
                break;
            }
        }
    }
    Ok(output)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts of bytes, never negative")]
fn whole(bytes: f64) -> u64 {
    bytes as u64
}

/// Returns when the files in `directory` have more than `max_bytes`.
async fn until_larger(directory: &Path, max_bytes: u64) {
    loop {
        tokio::time::sleep(CHECK_INTERVAL).await;
        let bytes: u64 = std::fs::read_dir(directory)
            .map(|files| files.flatten().filter_map(|file| Some(file.metadata().ok()?.len())).sum())
            .unwrap_or_default();
        if bytes > max_bytes {
            return;
        }
    }
}

/// A signal ended it, and so it could not say why.
fn killed(signal: i32) -> StepError {
    if signal == Signal::SIGXCPU as i32 {
        let message = "Reading the page takes more processor time than a download may use: send the URL of the media file \
                       itself, or upload it.";
        return StepError::permanent("too_large", message);
    }
    StepError::transient("download_failed", format!("yt-dlp was ended by the signal {signal}."))
}

fn live() -> StepError {
    let message = "This is a live broadcast, which has no end: send the finished video when the broadcast is over.";
    StepError::permanent("live_broadcast", message)
}

fn too_large(max_bytes: u64) -> StepError {
    let mebibytes = max_bytes / (1024 * 1024);
    StepError::permanent("too_large", format!("The media is larger than {mebibytes} MiB: send a smaller file."))
}
