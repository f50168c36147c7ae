//! Samples out of ffmpeg's stdout.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, ChildStdout};
use tokio::task::JoinHandle;

use crate::Span;
use crate::timing::{self, Step};

use super::{AudioError, SAMPLE_RATE, SAMPLES_PER_MS, probe, samples_to_ms, tame, tool};

/// Bytes of one sample in the form ffmpeg is asked for, `f32le`.
const SAMPLE_BYTES: usize = size_of::<f32>();

/// A recording may end so much before what its headers claim and still count as whole: encoders pad.
const TOLERATED_SHORTFALL_MS: u64 = 1_000;

/// Decoded audio: 16 kHz, mono, ±1.
#[derive(Debug, Clone)]
pub struct Pcm {
    /// The samples.
    pub samples: Vec<f32>,
    /// What was wrong with the file although sound came out of it, such as an end cut off.
    pub damage: Option<String>,
}

impl Pcm {
    /// Length in milliseconds.
    pub fn duration_ms(&self) -> u64 {
        samples_to_ms(self.samples.len() as u64)
    }
}

/// How a stream ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// Milliseconds that were decoded.
    pub duration_ms: u64,
    /// What was wrong with the file although sound came out of it.
    pub damage: Option<String>,
}

/// A running ffmpeg whose samples are read piece by piece.
#[derive(Debug)]
pub struct PcmStream {
    path: PathBuf,
    child: Child,
    stdout: ChildStdout,
    complaints: JoinHandle<String>,
    /// Bytes of a sample that arrived in part.
    rest: Vec<u8>,
    samples: u64,
    /// What the headers promised for the part asked for.
    expected_ms: Option<u64>,
    /// How long was waited for it until now.
    waited: Duration,
}

impl PcmStream {
    /// Starts decoding `path`, or only `range` of it.
    pub async fn open(path: &Path, range: Option<Span>) -> Result<Self, AudioError> {
        let begun = Instant::now();
        let info = probe(path).await?;
        if !info.has_audio {
            return Err(AudioError::NoAudioTrack);
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
        let mut command = tool::command("ffmpeg", &seek, path);
        command
            .args(["-map", "0:a:0", "-vn", "-sn", "-dn", "-ac", "1", "-ar"])
            .arg(SAMPLE_RATE.to_string())
            .args(["-f", "f32le", "pipe:1"]);
        let mut child = tool::spawn("ffmpeg", command)?;
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(AudioError::Io(std::io::Error::other("ffmpeg started without pipes")));
        };
        Ok(Self {
            path: path.to_owned(),
            child,
            stdout,
            complaints: tool::collect(stderr),
            rest: Vec::new(),
            samples: 0,
            expected_ms,
            waited: begun.elapsed(),
        })
    }

    /// Milliseconds that the headers promise for the part asked for.
    pub fn expected_ms(&self) -> Option<u64> {
        self.expected_ms
    }

    /// Appends up to `at_most` samples to `samples`; returns how many, 0 at the end.
    pub async fn read(&mut self, samples: &mut Vec<f32>, at_most: usize) -> Result<usize, AudioError> {
        let before = samples.len();
        let mut buffer = vec![0_u8; (at_most * SAMPLE_BYTES).min(64 * 1024)];
        while samples.len() - before < at_most {
            let room = (at_most - (samples.len() - before)) * SAMPLE_BYTES - self.rest.len();
            let limit = buffer.len().min(room);
            let begun = Instant::now();
            let read = self.stdout.read(&mut buffer[..limit]).await?;
            self.waited += begun.elapsed();
            if read == 0 {
                break;
            }
            self.rest.extend_from_slice(&buffer[..read]);
            let (whole, part) = self.rest.as_chunks::<SAMPLE_BYTES>();
            samples.extend(whole.iter().map(|bytes| f32::from_le_bytes(*bytes)));
            self.rest = part.to_vec();
        }
        tame(&mut samples[before..]);
        let read = samples.len() - before;
        self.samples += read as u64;
        Ok(read)
    }

    /// Waits for ffmpeg and says how it went. Call it after [`PcmStream::read`] returned 0.
    pub async fn finish(mut self) -> Result<Ending, AudioError> {
        let status = self.child.wait().await?;
        timing::took(Step::Audio, self.waited);
        let complaints = self.complaints.await.unwrap_or_default();
        let duration_ms = samples_to_ms(self.samples);
        let words = || tool::last_words(&complaints, &self.path);
        if self.samples == 0 && (!status.success() || !complaints.trim().is_empty()) {
            return Err(AudioError::Undecodable { detail: words() });
        }
        let shortfall = self.expected_ms.filter(|ms| *ms > duration_ms + TOLERATED_SHORTFALL_MS);
        let damage = match shortfall {
            Some(expected) => Some(format!(
                "the file promises {} of sound and holds {}: its end seems cut off",
                human(expected),
                human(duration_ms)
            )),
            None if !status.success() => Some(words()),
            None => None,
        };
        Ok(Ending { duration_ms, damage })
    }
}

/// Headers may promise anything: memory is set aside for so much at most.
const LONGEST_RESERVED_MS: u64 = 15 * 60 * 1000;

/// Decodes `path`, or only `range` of it, into memory: 64 kB for each second of sound.
pub async fn decode(path: &Path, range: Option<Span>) -> Result<Pcm, AudioError> {
    /// One minute a read.
    const PIECE: usize = (60_000 * SAMPLES_PER_MS) as usize;
    let mut stream = PcmStream::open(path, range).await?;
    // Growing by doubling would need three times the memory for a moment.
    let expected = stream.expected_ms.unwrap_or(0).min(LONGEST_RESERVED_MS) * SAMPLES_PER_MS;
    let mut samples = Vec::with_capacity(usize::try_from(expected).unwrap_or(0));
    while stream.read(&mut samples, PIECE).await? > 0 {}
    let ending = stream.finish().await?;
    Ok(Pcm { samples, damage: ending.damage })
}

/// ffmpeg reads seconds as a decimal fraction.
fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

/// Milliseconds for people: `12.3 s`.
pub(super) fn human(ms: u64) -> String {
    format!("{}.{} s", ms / 1000, ms % 1000 / 100)
}
