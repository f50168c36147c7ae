//! Samples from ffmpeg's standard output.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt as _;
use tokio::process::ChildStdout;
use tokio::task::JoinHandle;
use ytcaption_children::Child;
use ytcaption_domain::Span;

use super::{MediaError, SAMPLE_RATE, SAMPLES_PER_MS, ffmpeg, probe, samples_to_ms};

/// Bytes of one sample in the format requested from ffmpeg, `f32le`.
const SAMPLE_BYTES: usize = size_of::<f32>();

/// Decoded audio: 16 kHz, mono.
#[derive(Debug, Clone)]
pub struct Pcm {
    /// The samples, each within −1.0 … 1.0.
    pub samples: Vec<f32>,
    /// Why the file counts as truncated although audio was decoded from it; `None` if it is whole.
    pub truncation: Option<String>,
    /// Time spent waiting for ffprobe and ffmpeg.
    pub waited: Duration,
}

impl Pcm {
    /// Length in milliseconds.
    pub fn duration_ms(&self) -> u64 {
        samples_to_ms(self.samples.len() as u64)
    }
}

/// What [`PcmStream::finish`] reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamEnd {
    /// Milliseconds that were decoded.
    pub duration_ms: u64,
    /// Why the file counts as truncated although audio was decoded from it; `None` if it is whole.
    pub truncation: Option<String>,
    /// Time spent waiting for ffprobe and ffmpeg.
    pub waited: Duration,
}

/// A running ffmpeg whose samples are read piece by piece.
#[derive(Debug)]
pub struct PcmStream {
    path: PathBuf,
    child: Child,
    stdout: ChildStdout,
    stderr: JoinHandle<String>,
    /// Bytes of a sample that arrived in part.
    rest: Vec<u8>,
    samples: u64,
    /// Milliseconds of the requested range according to the headers.
    expected_ms: Option<u64>,
    waited: Duration,
}

impl PcmStream {
    /// Starts decoding `path`, or only `range` of it, which may reach past the end.
    ///
    /// # Errors
    /// The file cannot be read, is not media or has no audio track ([`MediaError`]), or ffmpeg cannot be started.
    pub async fn open(path: &Path, range: Option<Span>) -> Result<Self, MediaError> {
        let started = Instant::now();
        let info = probe(path).await?;
        if !info.has_audio {
            return Err(MediaError::NoAudioTrack);
        }
        let (seek, expected_ms) = match range {
            None => (Vec::new(), info.audio_duration_ms),
            Some(Span { start_ms, end_ms }) => {
                let length_ms = end_ms.saturating_sub(start_ms);
                let seek = vec!["-ss".into(), seconds(start_ms), "-t".into(), seconds(length_ms)];
                let left = info.audio_duration_ms.map(|all| all.saturating_sub(start_ms).min(length_ms));
                (seek, left)
            }
        };
        let seek: Vec<&str> = seek.iter().map(String::as_str).collect();
        let mut command = ffmpeg::command("ffmpeg", &seek, path);
        command
            .args(["-map", "0:a:0", "-vn", "-sn", "-dn", "-ac", "1", "-ar"])
            .arg(SAMPLE_RATE.to_string())
            .args(["-f", "f32le", "pipe:1"]);
        let mut child = ffmpeg::spawn("ffmpeg", &command)?;
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(MediaError::Io(std::io::Error::other("ffmpeg started without pipes")));
        };
        Ok(Self {
            path: path.to_owned(),
            child,
            stdout,
            stderr: ffmpeg::collect(stderr),
            rest: Vec::new(),
            samples: 0,
            expected_ms,
            waited: started.elapsed(),
        })
    }

    /// Milliseconds of the requested range according to the headers; `None` where they lack it.
    pub fn expected_ms(&self) -> Option<u64> {
        self.expected_ms
    }

    /// Appends up to `at_most` samples, each within −1.0 … 1.0, to `samples`; returns how many, 0 at the end.
    ///
    /// # Errors
    /// [`MediaError::Io`] if the pipe to ffmpeg fails.
    pub async fn read_samples(&mut self, samples: &mut Vec<f32>, at_most: usize) -> Result<usize, MediaError> {
        let before = samples.len();
        let mut buffer = vec![0_u8; (at_most * SAMPLE_BYTES).min(64 * 1024)];
        while samples.len() - before < at_most {
            let room = (at_most - (samples.len() - before)) * SAMPLE_BYTES - self.rest.len();
            let limit = buffer.len().min(room);
            let started = Instant::now();
            let read = self.stdout.read(&mut buffer[..limit]).await?;
            self.waited += started.elapsed();
            if read == 0 {
                break;
            }
            self.rest.extend_from_slice(&buffer[..read]);
            let (whole, part) = self.rest.as_chunks::<SAMPLE_BYTES>();
            samples.extend(whole.iter().map(|bytes| f32::from_le_bytes(*bytes)));
            self.rest = part.to_vec();
        }
        sanitize(&mut samples[before..]);
        let read = samples.len() - before;
        self.samples += read as u64;
        Ok(read)
    }

    /// Waits for ffmpeg to exit. Call it after [`PcmStream::read_samples`] returned 0.
    ///
    /// # Errors
    /// [`MediaError::Undecodable`] if ffmpeg failed without a single sample, [`MediaError::Io`] if it cannot be waited
    /// for.
    pub async fn finish(mut self) -> Result<StreamEnd, MediaError> {
        let started = Instant::now();
        let status = self.child.wait().await?;
        let waited = self.waited + started.elapsed();
        let stderr = self.stderr.await.unwrap_or_default();
        let duration_ms = samples_to_ms(self.samples);
        if self.samples == 0 && (!status.success() || !stderr.trim().is_empty()) {
            return Err(MediaError::Undecodable { detail: ffmpeg::last_line(&stderr, &self.path) });
        }
        let truncation = ffmpeg::truncation(self.expected_ms, duration_ms, status, &stderr, &self.path);
        Ok(StreamEnd { duration_ms, truncation, waited })
    }
}

/// Headers may claim any length: at most this much memory is reserved in advance.
const MAX_RESERVED_MS: u64 = 15 * 60 * 1000;

/// Decodes `path`, or only `range` of it, into memory: 64 kB for each second of audio.
///
/// # Errors
/// As [`PcmStream::open`], [`PcmStream::read_samples`] and [`PcmStream::finish`].
pub async fn decode(path: &Path, range: Option<Span>) -> Result<Pcm, MediaError> {
    /// One minute a read.
    const PIECE: usize = (60_000 * SAMPLES_PER_MS) as usize;
    let mut stream = PcmStream::open(path, range).await?;
    // Growing by doubling would need three times the memory for a moment.
    let expected = stream.expected_ms.unwrap_or(0).min(MAX_RESERVED_MS) * SAMPLES_PER_MS;
    let mut samples = Vec::with_capacity(usize::try_from(expected).unwrap_or(0));
    while stream.read_samples(&mut samples, PIECE).await? > 0 {}
    let StreamEnd { truncation, waited, .. } = stream.finish().await?;
    Ok(Pcm { samples, truncation, waited })
}

/// Makes samples safe to compute with: NaN and infinities become silence, clipped ones stay within ±1.
fn sanitize(samples: &mut [f32]) {
    for sample in samples {
        *sample = if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { 0.0 };
    }
}

/// ffmpeg takes seconds as a decimal fraction.
fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}
