//! The command line of yt-dlp: what it may do, where, and what it writes to stdout.

use std::path::Path;
use std::time::Duration;

use url::Url;
use ytcaption_children::{ChildCommand, Limits};

use super::DownloadSettings;

/// Memory of yt-dlp, in bytes. It keeps a page that it reads several times over; on the largest sites it needs 0.3 GB.
const MEMORY_BYTES: u64 = 1 << 30;
/// Processor time of yt-dlp. Parsing takes seconds, the media itself a second for some hundred megabytes.
const CPU: Duration = Duration::from_mins(10);
/// Processes and threads beside those of the worker; one that runs JavaScript has a thread for each core.
const PROCESSES: u64 = 4096;
/// Written during the download: lines that begin with `P `.
const PROGRESS: &str = "download:P %(progress.{downloaded_bytes,total_bytes,total_bytes_estimate})j";
/// Written when the page was read: a line that begins with `L `.
const FOUND: &str = "pre_process:L %(.{is_live,n_entries,playlist_count})j";
/// Written for each of several media: a line that begins with `E `.
const LISTED: &str = "pre_process:E [%(title|null)j,%(url|null)j,%(formats.0.url|null)j]";
/// Written before a download begins: a line that begins with `B `.
const BEGUN: &str = "before_dl:B %(id)j";
/// Written when the file is complete: a line that begins with `M `.
const FINISHED: &str = "after_move:M %(.{title,extractor_key,filepath})j";
/// Only formats that are downloaded by HTTP, and so through the proxy. For others (RTMP, RTSP, MMS, web sockets) yt-dlp
/// starts programs that know no proxy.
const FORMAT: &str =
    "bestaudio[protocol~='^(https?|m3u8|http_dash|ism)']/best[protocol~='^(https?|m3u8|http_dash|ism)']";
/// A live broadcast never ends; and for it yt-dlp lets ffmpeg open any URL that a playlist names.
const NO_LIVE: &str = "!is_live";
/// Protocols that ffmpeg may open where yt-dlp leaves a playlist to it: not `udp:` or `rtp:`, which know no proxy.
const FFMPEG_PROTOCOLS: &str = "ffmpeg_i:-protocol_whitelist http,https,httpproxy,tls,tcp,crypto,data";

/// Media of one URL that are listed at most.
pub(super) const MAX_LISTED: usize = 20;

/// The command that lists the media at `url`, which are several.
pub(super) fn listing(url: &Url, directory: &Path, settings: &DownloadSettings) -> ChildCommand {
    let mut command = common(directory, settings);
    command.args(["--simulate", "--flat-playlist", "--playlist-items", &format!("1:{MAX_LISTED}")]);
    command.args(["--print", LISTED, "--", url.as_str()]);
    command
}

/// The command that downloads the media at `url` into `directory`.
pub(super) fn download(url: &Url, directory: &Path, settings: &DownloadSettings) -> ChildCommand {
    let mut command = common(directory, settings);
    // The second is never downloaded: that there is one ends the download.
    command.args(["--playlist-items", "1:2"]);
    // The repairs run ffmpeg on what was downloaded, and that may be a playlist of local files.
    command.args(["--fixup", "never"]);
    // Media with a gap would be taken for the whole.
    command.arg("--abort-on-unavailable-fragments");
    command.arg("--max-filesize").arg(settings.max_bytes.to_string());
    command.args(["--format", FORMAT, "--match-filters", NO_LIVE, "--downloader-args", FFMPEG_PROTOCOLS, "--no-mtime"]);
    command.args(["--progress", "--newline", "--progress-template", PROGRESS]);
    command.args(["--print", FOUND, "--print", BEGUN, "--print", FINISHED]);
    command.arg("--output").arg(directory.join("media.%(ext)s"));
    command.arg("--").arg(url.as_str());
    command
}

/// What all commands have in common.
fn common(directory: &Path, settings: &DownloadSettings) -> ChildCommand {
    // Other files than the media are smaller; the media itself must be allowed to become too large, to be reported so.
    let file_bytes = settings.max_bytes.saturating_mul(2);
    let limits = Limits { memory_bytes: MEMORY_BYTES, cpu: CPU, file_bytes, processes: PROCESSES };
    let mut command = ChildCommand::new(&settings.yt_dlp, limits);
    // A page of a megabyte can keep it busy for hours.
    command.first_cpu(settings.page_cpu);
    // Nothing else configures it: no file, no plugin, no cache, no home directory.
    command.args(["--ignore-config", "--no-plugin-dirs", "--no-exec", "--no-cache-dir", "--no-update"]);
    command.args(["--no-playlist", "--color", "no_color", "--quiet"]);
    command.args(["--socket-timeout", "15", "--retries", "2", "--extractor-retries", "1", "--fragment-retries", "2"]);
    command.works_in(directory);
    command
}
