//! The format in which audio is stored: 16 kHz mono FLAC, lossless for the model and seekable.
//!
//! ffmpeg decodes and another ffmpeg encodes; the samples pass through this process, which counts them, and writes the
//! file itself, so that a full disk or a killed process is an error here and never a shorter file.

use std::path::Path;

use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _, SeekFrom};
use tokio::process::{ChildStdin, ChildStdout};

use super::levels::LevelMeter;
use super::probe::MediaInfo;
use super::report::Report;
use super::silence::INAUDIBLE_DB;
use super::tracks::{ChosenTrack, TrackChoice, candidates};
use super::{MediaError, PcmStream, SAMPLE_RATE, SAMPLES_PER_MS, StreamEnd, ffmpeg, probe};

/// What [`convert_to_flac`] is to convert.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ConvertSettings<'a> {
    /// Which audio track is converted.
    pub track: TrackChoice<'a>,
    /// Longer media are refused as soon as that is known, in milliseconds.
    pub max_duration_ms: Option<u64>,
}

/// What [`convert_to_flac`] wrote.
#[derive(Debug, Clone, PartialEq)]
pub struct ConvertedAudio {
    /// Length of the audio in milliseconds.
    pub duration_ms: u64,
    /// Which part of the source is missing or corrupt although audio was decoded from it; `None` if it is whole.
    pub truncation: Option<String>,
    /// The audio track that was converted.
    pub track: ChosenTrack,
    /// Level of its loudest hundredth of a second in dB relative to full scale; −100 for digital silence.
    pub loudest_db: f32,
}

impl ConvertedAudio {
    /// Whether anything is louder than silence.
    pub fn is_audible(&self) -> bool {
        self.loudest_db > INAUDIBLE_DB
    }
}

/// Transcodes any media file to 16 kHz mono FLAC at `output` (overwritten, for this user alone) and calls `progress` with
/// the milliseconds written so far, every ten seconds of sound. Of several audio tracks [`TrackChoice`] says which is
/// taken; unless it has a number, a silent one only if all are.
///
/// # Errors
/// The file cannot be read, is not media, is too long, or has no (such) audio track or no decodable sample; ffmpeg is killed, or
/// the disk fails. What is then at `output` must not be used.
pub async fn convert_to_flac(
    input: &Path,
    output: &Path,
    settings: &ConvertSettings<'_>,
    progress: &mut (dyn FnMut(u64) + Send),
) -> Result<ConvertedAudio, MediaError> {
    let info = probe(input).await?;
    let order = candidates(&info.audio_tracks, settings.track)?;
    let mut first = None;
    for track in &order {
        let result = convert_track(input, &info, *track, output, settings, progress).await;
        match &result {
            Ok(converted) if converted.is_audible() => return result,
            Ok(_) | Err(MediaError::NoSound | MediaError::Undecodable { .. } | MediaError::Protected) => {}
            Err(_) => return result,
        }
        first = first.or(Some(result));
    }
    match first {
        // The file holds the last one that was tried.
        Some(Ok(_)) if order.len() > 1 => convert_track(input, &info, order[0], output, settings, progress).await,
        Some(result) => result,
        None => Err(MediaError::NoAudioTrack),
    }
}

async fn convert_track(
    input: &Path,
    info: &MediaInfo,
    track: usize,
    output: &Path,
    settings: &ConvertSettings<'_>,
    progress: &mut (dyn FnMut(u64) + Send),
) -> Result<ConvertedAudio, MediaError> {
    let promised_ms = info.audio_tracks[track].end_ms.filter(|_| !info.is_estimate);
    if let Some(max_ms) = settings.max_duration_ms
        && promised_ms.is_some_and(|promised_ms| promised_ms > max_ms)
    {
        return Err(MediaError::TooLong { max_ms });
    }
    let source = PcmStream::open_track(input, info, track, None)?;
    let mut encoder = ffmpeg::spawn("ffmpeg", &ffmpeg::encoder())?;
    let (Some(stdin), Some(stdout), Some(stderr)) =
        (encoder.stdin.take(), encoder.stdout.take(), encoder.stderr.take())
    else {
        return Err(MediaError::Io(std::io::Error::other("ffmpeg started without pipes")));
    };
    let report = Report::collect(stderr);
    let file = File::options().read(true).write(true).create(true).truncate(true).mode(0o600).open(output).await?;
    let max_samples = settings.max_duration_ms.map(|max_ms| max_ms * SAMPLES_PER_MS);
    let (fed, stored) = tokio::join!(feed(source, stdin, max_samples, progress), store(stdout, file));
    let mut file = stored?;
    let status = encoder.wait().await?;
    report.await.unwrap_or_default().check_machine("ffmpeg", status, output).await?;
    let Fed { samples, end, loudest_db } = fed?;
    if samples == 0 {
        return Err(MediaError::NoSound);
    }
    if !status.success() {
        return Err(MediaError::ToolFailed { program: "ffmpeg", detail: format!("could not encode: {status}") });
    }
    complete(&mut file, samples).await?;
    Ok(ConvertedAudio {
        duration_ms: end.duration_ms,
        truncation: end.truncation,
        track: ChosenTrack::new(&info.audio_tracks, track),
        loudest_db,
    })
}

/// What was given to the encoder.
struct Fed {
    samples: u64,
    end: StreamEnd,
    loudest_db: f32,
}

async fn feed(
    mut source: PcmStream,
    mut stdin: ChildStdin,
    max_samples: Option<u64>,
    progress: &mut (dyn FnMut(u64) + Send),
) -> Result<Fed, MediaError> {
    /// Ten seconds a read.
    const PIECE: usize = 10 * SAMPLE_RATE as usize;
    let (mut pcm, mut bytes, mut levels) = (Vec::with_capacity(PIECE), Vec::with_capacity(4 * PIECE), Vec::new());
    let mut meter = LevelMeter::default();
    let (mut samples, mut loudest_db) = (0_u64, f32::NEG_INFINITY);
    while source.read_samples(&mut pcm, PIECE).await? > 0 {
        samples += pcm.len() as u64;
        if let Some(max) = max_samples
            && samples > max
        {
            return Err(MediaError::TooLong { max_ms: max / SAMPLES_PER_MS });
        }
        meter.push(&pcm, &mut levels);
        loudest_db = levels.drain(..).fold(loudest_db, f32::max);
        bytes.clear();
        bytes.extend(pcm.drain(..).flat_map(f32::to_le_bytes));
        stdin.write_all(&bytes).await?;
        progress(samples / SAMPLES_PER_MS);
    }
    let end = source.finish().await?;
    Ok(Fed { samples, end, loudest_db })
}

async fn store(mut stdout: ChildStdout, mut file: File) -> std::io::Result<File> {
    tokio::io::copy(&mut stdout, &mut file).await?;
    file.flush().await?;
    Ok(file)
}

/// Writes the number of samples into the header, which came before them, and waits until the disk has everything.
async fn complete(file: &mut File, samples: u64) -> Result<(), MediaError> {
    /// Where the header (STREAMINFO, RFC 9639 section 8.2) has 20 bits of rate, 8 of channels and width, 36 of length.
    const AT: u64 = 18;
    file.seek(SeekFrom::Start(AT)).await?;
    let field = file.read_u64().await? & !((1 << 36) - 1);
    file.seek(SeekFrom::Start(AT)).await?;
    file.write_u64(field | samples).await?;
    file.flush().await?;
    file.sync_all().await?;
    Ok(())
}
