//! Samples from ffmpeg's standard output.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::process::ChildStdout;
use tokio::task::JoinHandle;
use ytcaption_children::Child;
use ytcaption_domain::Span;

use super::blocks::{Block, BlockReader};
use super::mix::Mixer;
use super::probe::MediaInfo;
use super::report::Report;
use super::tracks::{ChosenTrack, MediaInput, candidates};
use super::truncation::{Counted, Timing};
use super::{MediaError, SAMPLE_RATE, SAMPLES_PER_MS, ending, ffmpeg, probe, samples_to_ms};

/// Decoded audio: 16 kHz, mono.
#[derive(Debug, Clone)]
pub struct Pcm {
    /// The samples, each within −1.0 … 1.0.
    pub samples: Vec<f32>,
    /// Which part of the media is missing or corrupt although audio was decoded from it; `None` if it is whole.
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
    /// Which part of the media is missing or corrupt although audio was decoded from it; `None` if it is whole.
    pub truncation: Option<String>,
    /// Time spent waiting for ffprobe and ffmpeg.
    pub waited: Duration,
}

/// A running ffmpeg whose samples are read piece by piece.
#[derive(Debug)]
pub struct PcmStream {
    path: PathBuf,
    child: Child,
    blocks: BlockReader<ChildStdout>,
    report: JoinHandle<Report>,
    /// Made when the number of channels is known.
    mixer: Option<Mixer>,
    layout: Option<String>,
    track: ChosenTrack,
    /// A block that comes after the silence.
    next: Option<Block>,
    /// Samples of silence to come.
    silence: u64,
    /// Mixed samples that were not requested yet.
    ready: VecDeque<f32>,
    /// What is subtracted from the times of blocks, in milliseconds.
    base_ms: i64,
    timing: Timing,
    /// ffmpeg's name of the container, if all of it is decoded.
    whole_format: Option<String>,
    /// Samples of each channel so far, silence included.
    position: u64,
    /// Samples of silence within the sound.
    filled: u64,
    /// Samples returned.
    samples: u64,
    /// Whether the stream ended in the middle.
    broken: bool,
    /// Milliseconds of the requested range according to the headers.
    expected_ms: Option<u64>,
    /// The same if it is more than an estimate.
    promised_ms: Option<u64>,
    waited: Duration,
}

/// A time that differs by less from the end of the sound before is a rounding error of the container.
const TOLERATED_GAP_MS: u64 = 100;
impl PcmStream {
    /// Starts decoding an audio track, or only `range` of it, which may reach past the end.
    ///
    /// # Errors
    /// The file cannot be read, is not media or has no (such) audio track ([`MediaError`]), or ffmpeg cannot be started.
    pub async fn open(input: impl Into<MediaInput<'_>>, range: Option<Span>) -> Result<Self, MediaError> {
        let started = Instant::now();
        let MediaInput { path, track } = input.into();
        let info = probe(path).await?;
        let track = *candidates(&info.audio_tracks, track)?.first().ok_or(MediaError::NoAudioTrack)?;
        let mut stream = Self::open_track(path, &info, track, range)?;
        stream.waited = started.elapsed();
        Ok(stream)
    }

    /// Starts decoding the audio track with this index.
    pub(super) fn open_track(
        path: &Path,
        info: &MediaInfo,
        track: usize,
        range: Option<Span>,
    ) -> Result<Self, MediaError> {
        let chosen = &info.audio_tracks[track];
        if info.is_protected {
            return Err(MediaError::Protected);
        }
        // The times of a whole file are its own: ffmpeg would let the sound of a transport stream begin at zero. A range
        // begins at zero.
        let mut before: Vec<String> = match range {
            None => vec!["-copyts".into()],
            Some(span) => vec!["-ss".into(), seconds(span.start_ms), "-t".into(), seconds(span.length_ms())],
        };
        if info.understated {
            before.extend(["-ignore_length".into(), "1".into()]);
        }
        let before: Vec<&str> = before.iter().map(String::as_str).collect();
        let mut command = ffmpeg::command("ffmpeg", &before, path);
        command
            .args(["-map", &format!("0:a:{track}"), "-vn", "-sn", "-dn", "-map_metadata", "-1", "-ar"])
            .arg(SAMPLE_RATE.to_string())
            .args(["-c:a", "pcm_f32le", "-f", "matroska", "pipe:1"]);
        let mut child = ffmpeg::spawn("ffmpeg", &command)?;
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(MediaError::Io(std::io::Error::other("ffmpeg started without pipes")));
        };
        let left = |span: Span| move |end_ms: u64| end_ms.saturating_sub(span.start_ms).min(span.length_ms());
        let expected_ms = range.map_or(chosen.end_ms, |span| chosen.end_ms.map(left(span)));
        Ok(Self {
            path: path.to_owned(),
            child,
            blocks: BlockReader::new(stdout),
            report: Report::collect(stderr),
            mixer: None,
            layout: chosen.layout.clone(),
            track: ChosenTrack::new(&info.audio_tracks, track),
            next: None,
            silence: 0,
            ready: VecDeque::new(),
            base_ms: if range.is_none() { info.start_ms } else { 0 },
            timing: Timing::from_format(&info.format, info.understated),
            whole_format: range.is_none().then(|| info.format.clone()),
            position: 0,
            filled: 0,
            samples: 0,
            broken: false,
            expected_ms,
            promised_ms: expected_ms.filter(|_| !info.is_estimate),
            waited: Duration::ZERO,
        })
    }

    /// Milliseconds of the requested range according to the headers, perhaps an estimate; `None` where they lack it.
    pub fn expected_ms(&self) -> Option<u64> {
        self.expected_ms
    }

    /// The track that is decoded.
    pub fn track(&self) -> &ChosenTrack {
        &self.track
    }

    /// Appends up to `at_most` samples, each within −1.0 … 1.0, to `samples`; returns how many, 0 at the end. Where the
    /// file has no sound for a while there is silence.
    ///
    /// # Errors
    /// [`MediaError::Io`] if the pipe to ffmpeg fails.
    pub async fn read_samples(&mut self, samples: &mut Vec<f32>, at_most: usize) -> Result<usize, MediaError> {
        let mut left = at_most;
        while left > 0 {
            let from_ready = left.min(self.ready.len());
            samples.extend(self.ready.drain(..from_ready));
            left -= from_ready;
            let silent = left.min(usize::try_from(self.silence).unwrap_or(usize::MAX));
            samples.resize(samples.len() + silent, 0.0);
            self.silence -= silent as u64;
            left -= silent;
            if left > 0 && !self.read_block().await? {
                break;
            }
        }
        self.samples += (at_most - left) as u64;
        Ok(at_most - left)
    }

    /// Gets more samples ready, or silence; `false` at the end.
    async fn read_block(&mut self) -> Result<bool, MediaError> {
        let mut mono = Vec::new();
        if let Some(block) = self.next.take() {
            self.push(block, &mut mono);
            self.ready.extend(mono);
            return Ok(true);
        }
        let started = Instant::now();
        let block = match self.blocks.next().await {
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                // How ffmpeg ended says why.
                self.broken = true;
                None
            }
            block => block?,
        };
        self.waited += started.elapsed();
        let Some(block) = block else {
            if let Some(mixer) = &mut self.mixer {
                mixer.flush(&mut mono);
            }
            self.ready.extend(&mono);
            return Ok(!mono.is_empty());
        };
        let gap_ms = self.gap_ms(block.at_ms);
        if gap_ms == 0 {
            self.push(block, &mut mono);
        } else {
            if let Some(mixer) = &mut self.mixer {
                mixer.flush(&mut mono);
                self.filled += gap_ms * SAMPLES_PER_MS;
            }
            self.silence = gap_ms * SAMPLES_PER_MS;
            self.position += self.silence;
            self.next = Some(block);
        }
        self.ready.extend(mono);
        Ok(true)
    }

    /// Milliseconds without sound before a block of this time.
    fn gap_ms(&mut self, at_ms: i64) -> u64 {
        let end_ms = i64::try_from(samples_to_ms(self.position)).unwrap_or(i64::MAX);
        let gap_ms = u64::try_from(at_ms.saturating_sub(self.base_ms).saturating_sub(end_ms)).unwrap_or(0);
        let max_gap_ms = self.timing.max_gap_ms();
        if gap_ms > max_gap_ms {
            self.base_ms = at_ms.saturating_sub(end_ms);
        }
        if (TOLERATED_GAP_MS..=max_gap_ms).contains(&gap_ms) { gap_ms } else { 0 }
    }

    fn push(&mut self, mut block: Block, mono: &mut Vec<f32>) {
        let channels = self.blocks.channels();
        sanitize(&mut block.samples);
        self.position += (block.samples.len() / channels) as u64;
        let mixer = self.mixer.get_or_insert_with(|| Mixer::new(channels, self.layout.as_deref()));
        mixer.push(&block.samples, mono);
    }

    /// Waits for ffmpeg to exit. Call it after [`PcmStream::read_samples`] returned 0.
    ///
    /// # Errors
    /// [`MediaError::ToolFailed`] if ffmpeg was killed or the machine fails otherwise,
    /// [`MediaError::Undecodable`] if the media is and there is not a single sample, [`MediaError::Io`] if ffmpeg cannot
    /// be waited for.
    pub async fn finish(mut self) -> Result<StreamEnd, MediaError> {
        let started = Instant::now();
        let status = self.child.wait().await?;
        let waited = self.waited + started.elapsed();
        let report = std::mem::replace(&mut self.report, tokio::spawn(async { Report::default() }));
        let report = report.await.unwrap_or_default();
        report.check_machine("ffmpeg", status, &self.path).await?;
        if self.broken {
            let detail = "ended in the middle of a block of samples".to_owned();
            return Err(MediaError::ToolFailed { program: "ffmpeg", detail });
        }
        if self.samples == 0 && (!status.success() || report.has_errors()) {
            return Err(MediaError::Undecodable { detail: report.detail(&self.path) });
        }
        let duration_ms = samples_to_ms(self.samples);
        let ends_early = match &self.whole_format {
            Some(format) => ending::is_incomplete(&self.path, format).await,
            None => false,
        };
        let counted = Counted { duration_ms, filled_ms: samples_to_ms(self.filled), promised_ms: self.promised_ms };
        let truncation = counted.truncation(self.timing, &report, ends_early);
        let truncation = truncation.or_else(|| (!status.success()).then(|| report.detail(&self.path)));
        Ok(StreamEnd { duration_ms, truncation, waited })
    }
}

/// Headers may claim any length: at most this much memory is reserved in advance.
const MAX_RESERVED_MS: u64 = 15 * 60 * 1000;

/// Decodes media, or only `range` of it, into memory: 64 kB for each second of audio.
///
/// # Errors
/// As [`PcmStream::open`], [`PcmStream::read_samples`] and [`PcmStream::finish`].
pub async fn decode(input: impl Into<MediaInput<'_>>, range: Option<Span>) -> Result<Pcm, MediaError> {
    /// One minute a read.
    const PIECE: usize = (60_000 * SAMPLES_PER_MS) as usize;
    let mut stream = PcmStream::open(input, range).await?;
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
