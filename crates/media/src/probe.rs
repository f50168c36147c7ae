//! What a media file's headers say (ffprobe).

use std::path::Path;

use serde::Deserialize;
use ytcaption_children::read_at_most;

use super::mp4::{begins_as_mp4, is_encrypted};
use super::report::Report;
use super::tracks::AudioTrack;
use super::wav::{WavHeader, wav_header};
use super::{MediaError, ffmpeg};

/// What is requested of ffprobe: only what is read below, because a tag can be larger than the audio.
const ENTRIES: &str = "format=format_name,duration,start_time:\
    stream=codec_type,codec_name,duration,start_time,channel_layout:\
    stream_tags=DURATION,language,title:stream_disposition=default,comment,visual_impaired";
/// At most this many bytes of its output are read: enough for thousands of tracks.
const OUTPUT_LIMIT: u64 = 1024 * 1024;

/// What ffprobe found in a file's headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaInfo {
    /// Length in milliseconds according to the headers; `None` where they lack it.
    pub duration_ms: Option<u64>,
    /// Whether the lengths follow from the size of the file and a bit rate, so that they promise nothing.
    pub is_estimate: bool,
    /// The audio tracks; empty if there is no sound.
    pub audio_tracks: Vec<AudioTrack>,
    /// Container under ffmpeg's name, such as `mov,mp4,m4a,3gp,3g2,mj2`.
    pub format: String,
    /// Time at which the file begins, in milliseconds: what a player shows as zero.
    pub(super) start_ms: i64,
    /// Whether more samples follow than the header of a WAV file says, or it does not say how many there are.
    pub(super) understated: bool,
    /// Whether the sound is encrypted.
    pub(super) is_protected: bool,
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
    channel_layout: Option<String>,
    start_time: Option<String>,
    duration: Option<String>,
    #[serde(default)]
    tags: Tags,
    #[serde(default)]
    disposition: Disposition,
}

/// Matroska keeps a track's length in a tag.
#[derive(Deserialize, Default)]
struct Tags {
    #[serde(rename = "DURATION")]
    duration: Option<String>,
    language: Option<String>,
    title: Option<String>,
}

/// Each is 0 or 1.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Disposition {
    default: u8,
    comment: u8,
    visual_impaired: u8,
}

#[derive(Deserialize)]
struct Format {
    #[serde(rename = "format_name")]
    name: Option<String>,
    duration: Option<String>,
    start_time: Option<String>,
}

/// Runs ffprobe on `path`. A file without audio is not an error here (see [`MediaInfo::audio_tracks`]).
///
/// # Errors
/// The file cannot be read, is empty or is not media, or ffprobe is not installed or was killed.
pub async fn probe(path: &Path) -> Result<MediaInfo, MediaError> {
    ffmpeg::check_readable(path).await?;
    let options = ["-show_entries", ENTRIES, "-of", "json"];
    let mut child = ffmpeg::spawn("ffprobe", &ffmpeg::command("ffprobe", &options, path))?;
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(MediaError::Io(std::io::Error::other("ffprobe started without pipes")));
    };
    let report = Report::collect(stderr);
    let output = read_at_most(stdout, OUTPUT_LIMIT).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::FileTooLarge => {
            MediaError::NotMedia { detail: "its headers list too many tracks".to_owned() }
        }
        _ => MediaError::Io(error),
    })?;
    let status = child.wait().await?;
    let report = report.await.unwrap_or_default();
    report.check_machine("ffprobe", status, path).await?;
    let not_media = || MediaError::NotMedia { detail: report.detail(path) };
    if !status.success() {
        let index_missing = report.index_missing && begins_as_mp4(path).await;
        return Err(if index_missing { MediaError::IndexMissing } else { not_media() });
    }
    let parsed: Output = serde_json::from_slice(&output).map_err(|_| not_media())?;
    let Some(format) = parsed.format else { return Err(not_media()) };
    let is_wav = format.name.as_deref() == Some("wav");
    let header = if is_wav { wav_header(path).await } else { WavHeader::default() };
    let is_mp4 = format.name.as_deref().is_some_and(|name| name.starts_with("mov"));
    let is_protected = is_mp4 && is_encrypted(path).await;
    Ok(MediaInfo { is_protected, ..info(&parsed.streams, format, header, report.estimated) })
}

fn info(streams: &[Stream], format: Format, header: WavHeader, estimated: bool) -> MediaInfo {
    let is = |stream: &Stream, kind: &str| stream.codec_type.as_deref() == Some(kind);
    let only_audio = !streams.iter().any(|stream| is(stream, "video"));
    let start_ms = format.start_time.as_deref().and_then(signed_milliseconds).unwrap_or(0);
    let of_header = |ms: Option<u64>| if header.understated { None } else { header.promised_ms.or(ms) };
    let duration_ms = of_header(format.duration.as_deref().and_then(milliseconds));
    let audio = streams.iter().filter(|stream| is(stream, "audio")).map(|stream| {
        let begins_ms = stream.start_time.as_deref().and_then(signed_milliseconds).unwrap_or(start_ms);
        let offset_ms = u64::try_from(begins_ms - start_ms).unwrap_or(0);
        let stream_ms = stream.duration.as_deref().and_then(milliseconds).map(|length_ms| length_ms + offset_ms);
        let tag_ms = stream.tags.duration.as_deref().and_then(clock_milliseconds);
        AudioTrack {
            codec: stream.codec_name.clone(),
            layout: stream.channel_layout.clone().filter(|layout| layout != "unknown"),
            language: stream.tags.language.clone(),
            title: stream.tags.title.clone(),
            is_default: stream.disposition.default == 1,
            is_commentary: stream.disposition.comment == 1 || stream.disposition.visual_impaired == 1,
            end_ms: of_header(stream_ms.or(tag_ms).or(duration_ms.filter(|_| only_audio))),
        }
    });
    let audio_tracks: Vec<AudioTrack> = audio.collect();
    MediaInfo {
        duration_ms: duration_ms.or_else(|| audio_tracks.first().and_then(|track| track.end_ms)),
        is_estimate: estimated && header.promised_ms.is_none(),
        audio_tracks,
        format: format.name.unwrap_or_default(),
        start_ms,
        understated: header.understated,
        is_protected: false,
    }
}

/// ffprobe writes seconds as a decimal fraction.
fn milliseconds(seconds: &str) -> Option<u64> {
    let seconds: f64 = seconds.parse().ok()?;
    std::time::Duration::try_from_secs_f64(seconds).ok().and_then(|duration| u64::try_from(duration.as_millis()).ok())
}

/// A time before zero is that of samples which encoders add.
fn signed_milliseconds(seconds: &str) -> Option<i64> {
    let (sign, seconds) = seconds.strip_prefix('-').map_or((1, seconds), |seconds| (-1, seconds));
    Some(sign * i64::try_from(milliseconds(seconds)?).ok()?)
}

/// Matroska tags write `00:01:02.500000000`.
fn clock_milliseconds(clock: &str) -> Option<u64> {
    let mut parts = clock.splitn(3, ':');
    let hours: u64 = parts.next()?.parse().ok()?;
    let minutes: u64 = parts.next()?.parse().ok()?;
    Some((hours * 60 + minutes) * 60_000 + milliseconds(parts.next()?)?)
}
