//! How yt-dlp is called: what it may do, where, and what it is to tell.

use std::path::Path;

use tokio::process::Command;
use url::Url;

use super::DownloadSettings;

/// Variables that yt-dlp may see; everything else, credentials above all, is kept from it. Proxies are set by
/// [`crate::egress`] only.
const ENVIRONMENT: [&str; 4] = ["PATH", "LANG", "SSL_CERT_FILE", "SSL_CERT_DIR"];
/// What it is to tell while it downloads: lines that begin with `P `.
const PROGRESS: &str = "download:P %(progress.{downloaded_bytes,total_bytes,total_bytes_estimate})j";
/// What it is to tell when it knows what there is: a line that begins with `L `.
const LIVE: &str = "pre_process:L %(is_live)j";
/// What it is to tell before a download begins: a line that begins with `B `.
const BEGUN: &str = "before_dl:B %(id)j";
/// What it is to tell when a file is in its place: a line that begins with `M `.
const FINISHED: &str = "after_move:M %(.{title,extractor_key,filepath})j";
/// The recordings that are taken: those that are fetched by HTTP, and so through the proxy. For others (RTMP, RTSP, MMS,
/// web sockets) yt-dlp starts programs that know no proxy.
const FORMAT: &str =
    "bestaudio[protocol~='^(https?|m3u8|http_dash|ism)']/best[protocol~='^(https?|m3u8|http_dash|ism)']";
/// A live broadcast never ends; and for it yt-dlp has ffmpeg open whatever address a playlist names.
const NO_LIVE: &str = "!is_live";
/// What ffmpeg may open where yt-dlp leaves a playlist to it: not `udp:` or `rtp:`, which know no proxy.
const FFMPEG_PROTOCOLS: &str = "ffmpeg_i:-protocol_whitelist http,https,httpproxy,tls,tcp,crypto,data";

/// Fetches the recording at `url` into `folder`.
pub(super) fn command(url: &Url, folder: &Path, settings: &DownloadSettings) -> Command {
    let mut command = Command::new(&settings.yt_dlp);
    // Nothing from outside configures it: no file, no plugin, no cache, no home.
    command.args(["--ignore-config", "--no-plugin-dirs", "--no-exec", "--no-cache-dir", "--no-update"]);
    command.args(["--no-playlist", "--playlist-items", "1", "--color", "no_color", "--quiet"]);
    command.args(["--socket-timeout", "15", "--retries", "2", "--extractor-retries", "1", "--fragment-retries", "2"]);
    // A recording with a hole in it would be taken for the whole.
    command.arg("--abort-on-unavailable-fragments");
    command.arg("--max-filesize").arg(settings.max_bytes.to_string());
    command.args(["--format", FORMAT, "--match-filters", NO_LIVE, "--downloader-args", FFMPEG_PROTOCOLS, "--no-mtime"]);
    command.args(["--progress", "--newline", "--progress-template", PROGRESS]);
    command.args(["--print", LIVE, "--print", BEGUN, "--print", FINISHED]);
    command.arg("--output").arg(folder.join("media.%(ext)s"));
    command.arg("--").arg(url.as_str());
    command.env_clear().envs(ENVIRONMENT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    command.env("HOME", folder).env("TMPDIR", folder).current_dir(folder);
    command
}
