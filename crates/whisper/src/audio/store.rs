//! The form in which recordings are kept: 16 kHz mono FLAC, lossless for the model and seekable.

use std::path::Path;

use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::pcm::human;
use super::{AudioError, SAMPLE_RATE, probe, tool};

/// Encoders pad: a shortfall under this many milliseconds is no damage.
const TOLERATED_SHORTFALL_MS: u64 = 1_000;

/// What [`store`] wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAudio {
    /// Length of the sound in milliseconds.
    pub duration_ms: u64,
    /// What was wrong with the source although sound came out of it.
    pub damage: Option<String>,
}

/// Transcodes any media file to 16 kHz mono FLAC at `output` (overwritten), telling `progress` the
/// milliseconds written so far, about twice a second. On an error no usable file is left to rely on.
pub async fn store(
    input: &Path,
    output: &Path,
    progress: &mut (dyn FnMut(u64) + Send),
) -> Result<StoredAudio, AudioError> {
    let info = probe(input).await?;
    if !info.has_audio {
        return Err(AudioError::NoAudioTrack);
    }
    let mut command = tool::command("ffmpeg", &["-y", "-progress", "pipe:1"], input);
    command.args(["-map", "0:a:0", "-vn", "-sn", "-dn", "-map_metadata", "-1"]);
    // Only float samples can hold NaN, and the conversion to integers would make them full-scale clicks.
    if info.audio_codec.as_deref().is_some_and(|codec| codec.starts_with("pcm_f")) {
        command.args(["-af", "aeval=if(isnan(val(ch))\\,0\\,clip(val(ch)\\,-1\\,1)):c=same"]);
    }
    command
        .args(["-ac", "1", "-ar"])
        .arg(SAMPLE_RATE.to_string())
        .args(["-sample_fmt", "s16", "-c:a", "flac", "-f", "flac"])
        .arg(output);
    let mut child = tool::spawn("ffmpeg", command)?;
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(AudioError::Io(std::io::Error::other("ffmpeg started without pipes")));
    };
    let complaints = tool::collect(stderr);
    let mut lines = BufReader::new(stdout).lines();
    let mut written_ms = 0;
    while let Some(line) = lines.next_line().await? {
        // `out_time_us` is in microseconds and reads N/A before the first packet.
        if let Some(Ok(us)) = line.strip_prefix("out_time_us=").map(str::parse::<u64>) {
            written_ms = us / 1000;
            progress(written_ms);
        }
    }
    let status = child.wait().await?;
    let complaints = complaints.await.unwrap_or_default();
    if written_ms == 0 {
        return Err(AudioError::Undecodable { detail: tool::last_words(&complaints, input) });
    }
    let damage = match info.audio_duration_ms {
        Some(promised) if promised > written_ms + TOLERATED_SHORTFALL_MS => Some(format!(
            "the file promises {} of sound and holds {}: its end seems cut off",
            human(promised),
            human(written_ms)
        )),
        _ if !status.success() => Some(tool::last_words(&complaints, input)),
        _ => None,
    };
    Ok(StoredAudio { duration_ms: written_ms, damage })
}
