//! Cutting long media into chunks for many workers, in one streamed pass of constant memory.

mod chunk_reader;

use serde::{Deserialize, Serialize};
use ytcaption_domain::Span;

use crate::levels::{FRAME_MS, LevelMeter, quietest_frame};
use crate::silence::SilenceDetector;
use crate::{MediaError, MediaInput, PcmStream, SAMPLE_RATE, StreamEnd};

pub use chunk_reader::ChunkReader;

/// How [`plan_chunks`] cuts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PlanSettings {
    /// Length a chunk should have, in milliseconds (at least 1000); each is between three and five quarters of it.
    pub target_chunk_ms: u64,
}

impl Default for PlanSettings {
    fn default() -> Self {
        Self { target_chunk_ms: 5 * 60 * 1000 }
    }
}

/// Media divided into chunks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioPlan {
    /// Length of the audio in milliseconds.
    pub duration_ms: u64,
    /// Milliseconds that are loud enough to be speech.
    pub speech_ms: u64,
    /// The chunks: they follow one another without gap and cover the audio. At least one.
    pub chunks: Vec<Span>,
    /// Why the file counts as truncated although audio was decoded from it; `None` if it is whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truncation: Option<String>,
}

/// Reads media once and divides it at pauses. The same file and settings give the same plan.
///
/// # Errors
/// As [`PcmStream::open`], [`PcmStream::read_samples`] and [`PcmStream::finish`].
pub async fn plan_chunks(input: impl Into<MediaInput<'_>>, settings: PlanSettings) -> Result<AudioPlan, MediaError> {
    /// One second a read.
    const PIECE: usize = SAMPLE_RATE as usize;
    let mut stream = PcmStream::open(input, None).await?;
    let mut meter = LevelMeter::default();
    let mut planner = Planner::new(settings);
    let mut samples = Vec::with_capacity(PIECE);
    let mut levels = Vec::new();
    while stream.read_samples(&mut samples, PIECE).await? > 0 {
        meter.push(&samples, &mut levels);
        planner.push(&levels);
        samples.clear();
        levels.clear();
    }
    let StreamEnd { duration_ms, truncation, .. } = stream.finish().await?;
    let (chunks, speech_ms) = planner.finish(duration_ms);
    Ok(AudioPlan { duration_ms, speech_ms, chunks, truncation })
}

/// Decides on cuts as the levels stream by.
struct Planner {
    target_ms: u64,
    detector: SilenceDetector,
    /// Start of the chunk that is being filled.
    start_ms: u64,
    /// Levels since `start_ms`.
    levels: Vec<f32>,
    /// Speech since `start_ms`.
    spans: Vec<Span>,
    speech_ms: u64,
    chunks: Vec<Span>,
}

impl Planner {
    fn new(settings: PlanSettings) -> Self {
        Self {
            // Under a second there is nothing to choose a pause from.
            target_ms: settings.target_chunk_ms.max(1000),
            detector: SilenceDetector::default(),
            start_ms: 0,
            levels: Vec::new(),
            spans: Vec::new(),
            speech_ms: 0,
            chunks: Vec::new(),
        }
    }

    fn push(&mut self, levels: &[f32]) {
        self.levels.extend_from_slice(levels);
        self.detector.push(levels, &mut self.spans);
        while self.levels.len() as u64 * FRAME_MS > self.longest_ms() + DECISION_DELAY_MS {
            self.cut();
        }
    }

    /// The chunks and the milliseconds of speech.
    fn finish(mut self, duration_ms: u64) -> (Vec<Span>, u64) {
        self.detector.finish(&mut self.spans);
        while duration_ms.saturating_sub(self.start_ms) > self.longest_ms() {
            self.cut();
        }
        self.speech_ms += self.spans.iter().map(|span| span.length_ms()).sum::<u64>();
        self.chunks.push(Span { start_ms: self.start_ms, end_ms: duration_ms });
        (self.chunks, self.speech_ms)
    }

    fn longest_ms(&self) -> u64 {
        self.target_ms / 4 * 5
    }

    /// Ends the chunk in the middle of the longest pause of the allowed range, else where it is quietest.
    fn cut(&mut self) {
        let earliest = self.start_ms + self.target_ms / 4 * 3;
        let latest = self.start_ms + self.longest_ms();
        let mut pause_start = self.start_ms;
        let mut best: Option<Span> = None;
        let next_speech = self.detector.settled_ms().max(self.start_ms);
        let ends = self.spans.iter().map(|span| (span.start_ms, span.end_ms));
        for (pause_end, speech_end) in ends.chain([(next_speech, next_speech)]) {
            let pause = Span { start_ms: pause_start.max(earliest), end_ms: pause_end.min(latest) };
            if pause.length_ms() > best.map_or(0, Span::length_ms) {
                best = Some(pause);
            }
            pause_start = speech_end;
        }
        let frame = |ms: u64| usize::try_from((ms - self.start_ms) / FRAME_MS).unwrap_or(usize::MAX);
        let cut_ms = best.map_or_else(
            || {
                let quietest = quietest_frame(&self.levels, frame(earliest), frame(latest));
                self.start_ms + quietest as u64 * FRAME_MS
            },
            |pause| pause.start_ms.midpoint(pause.end_ms) / FRAME_MS * FRAME_MS,
        );
        self.levels.drain(..frame(cut_ms).min(self.levels.len()));
        self.chunks.push(Span { start_ms: self.start_ms, end_ms: cut_ms });
        let done = self.spans.partition_point(|span| span.end_ms <= cut_ms);
        self.speech_ms += self.spans.drain(..done).map(Span::length_ms).sum::<u64>();
        self.start_ms = cut_ms;
    }
}

/// The detector looks this far ahead before it decides, so a cut waits as long.
const DECISION_DELAY_MS: u64 = 6_000;

#[cfg(test)]
mod tests;
