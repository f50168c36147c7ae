//! yt-dlp as a child process: shut in, watched, and killed with everything it started.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use url::Url;
use ytcaption_domain::network::{AddressPolicy, AddressRefusal};

use super::classify::classify;
use super::media::Media;
use super::{DownloadSettings, Progress};
use crate::network::{self, NetworkError};
use crate::stages::fault::Fault;

/// Variables that yt-dlp may see; everything else, credentials above all, is kept from it.
const ENVIRONMENT: [&str; 10] = [
    "PATH",
    "LANG",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "http_proxy",
    "https_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "no_proxy",
    "NO_PROXY",
];
/// What yt-dlp is to tell while it downloads: lines that begin with `P `.
const PROGRESS: &str = "download:P %(progress.{downloaded_bytes,total_bytes,total_bytes_estimate})j";
/// What it is to tell before a download begins: a line that begins with `B `.
const BEGUN: &str = "before_dl:B %(id)j";
/// What it is to tell when a file is in its place: a line that begins with `M `.
const FINISHED: &str = "after_move:M %(.{title,extractor_key,filepath})j";
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
    policy: &AddressPolicy,
    progress: &mut Progress<'_>,
) -> Result<Media, Fault> {
    network::check(policy, url).await.map_err(|error| refused(&error))?;
    let mut child = start(url, folder, settings)?;
    let group = ProcessGroup::of(&child);
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(Fault::disk(&std::io::Error::other("yt-dlp started without pipes")));
    };
    let mut complaints = Vec::new();
    let told = tokio::select! {
        (told, read) = async {
            // Read both to the end, side by side: a full pipe would block it.
            tokio::join!(listen(stdout, progress), collect(stderr, &mut complaints))
        } => {
            read.map_err(|error| Fault::disk(&error))?;
            told?
        }
        () = until_larger(folder, settings.max_bytes) => return Err(too_large(settings.max_bytes)),
    };
    let status = child.wait().await.map_err(|error| Fault::disk(&error))?;
    drop(group);
    match told.finished {
        Some(finished) if status.success() && finished.filepath.starts_with(folder) => Ok(finished.into_media()),
        // With `--max-filesize` it skips what is larger, without a word and without a fault.
        None if status.success() && told.begun => Err(too_large(settings.max_bytes)),
        None if status.success() => Err(classify(NOTHING_THERE)),
        _ => Err(classify(&String::from_utf8_lossy(&complaints))),
    }
}

/// What yt-dlp would say of a page whose list of recordings is empty, if it said anything.
const NOTHING_THERE: &str = "ERROR: No media found";

fn start(url: &Url, folder: &Path, settings: &DownloadSettings) -> Result<Child, Fault> {
    let mut command = Command::new(&settings.yt_dlp);
    // Nothing from outside configures it: no file, no plugin, no cache, no home.
    command.args(["--ignore-config", "--no-plugin-dirs", "--no-exec", "--no-cache-dir", "--no-update"]);
    command.args(["--no-playlist", "--playlist-items", "1", "--color", "no_color", "--quiet"]);
    command.args(["--socket-timeout", "15", "--retries", "2", "--extractor-retries", "1", "--fragment-retries", "2"]);
    command.arg("--max-filesize").arg(settings.max_bytes.to_string());
    command.args(["--format", "bestaudio/best", "--no-mtime"]);
    command.args(["--progress", "--newline", "--progress-template", PROGRESS, "--print", FINISHED]);
    command.args(["--print", BEGUN]).arg("--output").arg(folder.join("media.%(ext)s"));
    command.arg("--").arg(url.as_str());
    command.env_clear().envs(ENVIRONMENT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    command.env("HOME", folder).env("TMPDIR", folder).current_dir(folder);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.process_group(0).kill_on_drop(true);
    command.spawn().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Fault::transient(
            "tool_missing",
            "The worker is not installed completely: `yt-dlp` was not found; install it \
             (pip install 'yt-dlp[default]') or name its path in the setting download.yt_dlp.",
        ),
        _ => Fault::disk(&error),
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

async fn listen(stdout: ChildStdout, progress: &mut Progress<'_>) -> Result<Told, Fault> {
    let mut told = Told::default();
    let mut lines = BufReader::new(stdout).lines();
    while let Some(line) = lines.next_line().await.map_err(|error| Fault::disk(&error))? {
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

fn too_large(max_bytes: u64) -> Fault {
    let mebibytes = max_bytes / (1024 * 1024);
    Fault::permanent("too_large", format!("The recording is larger than {mebibytes} MiB: send a smaller one."))
}

fn refused(error: &NetworkError) -> Fault {
    let text = format!("{}.", crate::stages::fault::sentence(error));
    match error {
        NetworkError::Unresolved { .. } => Fault::transient("unresolved_host", text),
        NetworkError::Refused(AddressRefusal::Private(_)) => Fault::permanent("private_address", text),
        NetworkError::Refused(AddressRefusal::Scheme(_) | AddressRefusal::NoHost) => {
            Fault::permanent("invalid_url", text)
        }
    }
}
