//! The format in which audio is stored: 16 kHz mono FLAC, lossless for the model and seekable.

use std::path::Path;

use tokio::fs::File;
use ytcaption_children::Lines;

use super::{MediaError, SAMPLE_RATE, ffmpeg, probe};

/// What [`convert_to_flac`] wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConvertedAudio {
    /// Length of the audio in milliseconds.
    pub duration_ms: u64,
    /// Why the source counts as truncated although audio was decoded from it; `None` if it is whole.
    pub truncation: Option<String>,
}

/// Transcodes any media file to 16 kHz mono FLAC at `output` (overwritten) and calls `progress` with the milliseconds
/// written so far, about twice a second.
///
/// # Errors
/// The file cannot be read, is not media, has no audio track or no decodable sample, or ffmpeg or the disk fails. What
/// is then at `output` must not be used.
pub async fn convert_to_flac(
    input: &Path,
    output: &Path,
    progress: &mut (dyn FnMut(u64) + Send),
) -> Result<ConvertedAudio, MediaError> {
    let info = probe(input).await?;
    if !info.has_audio {
        return Err(MediaError::NoAudioTrack);
    }
    let mut command = ffmpeg::command("ffmpeg", &["-y", "-progress", "pipe:1"], input);
    command.args(["-map", "0:a:0", "-vn", "-sn", "-dn", "-map_metadata", "-1"]);
    // Only float samples can hold NaN, and the conversion to integers would make them full-scale clicks.
    if info.audio_codec.as_deref().is_some_and(|codec| codec.starts_with("pcm_f")) {
        command.args(["-af", "aeval=if(isnan(val(ch))\\,0\\,clip(val(ch)\\,-1\\,1)):c=same"]);
    }
    command
        .args(["-ac", "1", "-ar"])
        .arg(SAMPLE_RATE.to_string())
        .args(["-sample_fmt", "s16", "-c:a", "flac", "-f", "flac"])
        .arg(output)
        .writes(output);
    // ffmpeg can write this file only, and other users cannot read it.
    File::options().write(true).create(true).truncate(true).mode(0o600).open(output).await?;
    let mut child = ffmpeg::spawn("ffmpeg", &command)?;
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(MediaError::Io(std::io::Error::other("ffmpeg started without pipes")));
    };
    let stderr = ffmpeg::collect(stderr);
    let mut lines = Lines::new(stdout, ffmpeg::LINE_LIMIT);
    let mut written_ms = 0;
    while let Some(line) = lines.next_line().await? {
        // `out_time_us` is in microseconds and reads N/A before the first packet.
        if let Some(Ok(us)) = line.strip_prefix("out_time_us=").map(str::parse::<u64>) {
            written_ms = us / 1000;
            progress(written_ms);
        }
    }
    let status = child.wait().await?;
    let stderr = stderr.await.unwrap_or_default();
    if written_ms == 0 {
        return Err(MediaError::Undecodable { detail: ffmpeg::last_line(&stderr, input) });
    }
    let truncation = ffmpeg::truncation(info.audio_duration_ms, written_ms, status, &stderr, input);
    Ok(ConvertedAudio { duration_ms: written_ms, truncation })
}
