//! What a media file's headers say (ffprobe).

use std::path::Path;

use serde::Deserialize;
use tokio::io::AsyncReadExt as _;
use ytcaption_children::read_at_most;

use super::{MediaError, ffmpeg};

/// What is requested of ffprobe: only what is read below, because a tag can be larger than the audio.
const ENTRIES: &str = "format=format_name,duration:stream=codec_type,codec_name,duration:stream_tags=DURATION";
/// At most this many bytes of its output are read: enough for thousands of tracks.
const OUTPUT_LIMIT: u64 = 1024 * 1024;

/// What ffprobe prints for an MP4 file whose end, and with it its index, is missing.
const NO_INDEX: &str = "moov atom not found";

/// What ffprobe found in a file's headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaInfo {
    /// Length in milliseconds according to the headers; `None` where they lack it.
    pub duration_ms: Option<u64>,
    /// Length of the first audio track alone, in milliseconds; `None` where the headers lack it.
    pub audio_duration_ms: Option<u64>,
    /// Whether there is at least one audio track.
    pub has_audio: bool,
    /// Container under ffmpeg's name, such as `mov,mp4,m4a,3gp,3g2,mj2`.
    pub format: String,
    /// Codec of the first audio track, such as `aac`.
    pub audio_codec: Option<String>,
}

#[derive(Deserialize)]
struct Output {
    #[serde(default)]
    streams: Vec<Stream>,
    format: Option<Format>,
}

#[derive(Deserialize)]
struct Stream {
    codec_type: Option<String>,
    codec_name: Option<String>,
    duration: Option<String>,
    #[serde(default)]
    tags: Tags,
}

/// Matroska keeps a track's length in a tag.
#[derive(Deserialize, Default)]
struct Tags {
    #[serde(rename = "DURATION")]
    duration: Option<String>,
}

#[derive(Deserialize)]
struct Format {
    format_name: Option<String>,
    duration: Option<String>,
}

/// Runs ffprobe on `path`. A file without audio is not an error here (see [`MediaInfo::has_audio`]).
///
/// # Errors
/// The file cannot be read, is empty or is not media, or ffprobe is not installed.
pub async fn probe(path: &Path) -> Result<MediaInfo, MediaError> {
    ffmpeg::check_readable(path).await?;
    let mut child =
        ffmpeg::spawn("ffprobe", &ffmpeg::command("ffprobe", &["-show_entries", ENTRIES, "-of", "json"], path))?;
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(MediaError::Io(std::io::Error::other("ffprobe started without pipes")));
    };
    let stderr = ffmpeg::collect(stderr);
    let output = read_at_most(stdout, OUTPUT_LIMIT).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::FileTooLarge => {
            MediaError::NotMedia { detail: "its headers list too many tracks".to_owned() }
        }
        _ => MediaError::Io(error),
    })?;
    let status = child.wait().await?;
    let stderr = stderr.await.unwrap_or_default();
    let not_media = || MediaError::NotMedia { detail: ffmpeg::last_line(&stderr, path) };
    if !status.success() {
        let index_missing = stderr.contains(NO_INDEX) && begins_as_mp4(path).await;
        return Err(if index_missing { MediaError::IndexMissing } else { not_media() });
    }
    let parsed: Output = serde_json::from_slice(&output).map_err(|_| not_media())?;
    let Some(format) = parsed.format else { return Err(not_media()) };
    let is = |stream: &Stream, kind: &str| stream.codec_type.as_deref() == Some(kind);
    let audio = parsed.streams.iter().find(|stream| is(stream, "audio"));
    let only_audio = !parsed.streams.iter().any(|stream| is(stream, "video"));
    let duration_ms = format.duration.as_deref().and_then(milliseconds);
    let audio_duration_ms = audio.and_then(|stream| {
        let stream_ms = stream.duration.as_deref().and_then(milliseconds);
        let tag_ms = stream.tags.duration.as_deref().and_then(clock_milliseconds);
        stream_ms.or(tag_ms).or(duration_ms.filter(|_| only_audio))
    });
    Ok(MediaInfo {
        duration_ms: duration_ms.or(audio_duration_ms),
        audio_duration_ms,
        has_audio: audio.is_some(),
        format: format.format_name.unwrap_or_default(),
        audio_codec: audio.and_then(|stream| stream.codec_name.clone()),
    })
}

/// Whether the file's first box is one that MP4 files begin with. ffprobe goes by the file name too, and reports a
/// missing index for a text file called `x.mp4` as well.
async fn begins_as_mp4(path: &Path) -> bool {
    let mut head = [0; 8];
    let Ok(mut file) = tokio::fs::File::open(path).await else { return false };
    file.read_exact(&mut head).await.is_ok() && matches!(&head[4..], b"ftyp" | b"mdat" | b"free" | b"wide")
}

/// ffprobe writes seconds as a decimal fraction.
fn milliseconds(seconds: &str) -> Option<u64> {
    let seconds: f64 = seconds.parse().ok()?;
    std::time::Duration::try_from_secs_f64(seconds).ok().and_then(|duration| u64::try_from(duration.as_millis()).ok())
}

/// Matroska tags write `00:01:02.500000000`.
fn clock_milliseconds(clock: &str) -> Option<u64> {
    let mut parts = clock.splitn(3, ':');
    let hours: u64 = parts.next()?.parse().ok()?;
    let minutes: u64 = parts.next()?.parse().ok()?;
    Some((hours * 60 + minutes) * 60_000 + milliseconds(parts.next()?)?)
}
