//! The chunks of media together with their samples, while the rest is still being read.

use std::collections::VecDeque;

use ytcaption_domain::Span;

use super::{DECISION_DELAY_MS, PlanSettings, Planner};
use crate::levels::LevelMeter;
use crate::{ChosenTrack, MediaError, MediaInput, PcmStream, SAMPLE_RATE, SAMPLES_PER_MS, StreamEnd};

/// One second a read.
const PIECE: usize = SAMPLE_RATE as usize;

/// Reads media once and returns its chunks one by one: the same that [`super::plan_chunks`] returns. It holds the
/// samples of at most one chunk and a quarter, and six seconds.
pub struct ChunkReader {
    /// `None` when everything has been read.
    reading: Option<Reading>,
    /// Samples of what comes next.
    pcm: Vec<f32>,
    /// Chunks whose samples have been read.
    ready: VecDeque<Span>,
    end: Option<StreamEnd>,
    expected_ms: Option<u64>,
    track: ChosenTrack,
    /// Samples that may have to wait in `pcm`.
    max_waiting: usize,
}

struct Reading {
    stream: PcmStream,
    meter: LevelMeter,
    planner: Planner,
}

impl ChunkReader {
    /// Starts reading media.
    ///
    /// # Errors
    /// As [`PcmStream::open`].
    pub async fn open(input: impl Into<MediaInput<'_>>, settings: PlanSettings) -> Result<Self, MediaError> {
        let stream = PcmStream::open(input, None).await?;
        let planner = Planner::new(settings);
        let max_ms = planner.longest_ms() + DECISION_DELAY_MS;
        let max_waiting = usize::try_from(max_ms * SAMPLES_PER_MS).unwrap_or(0) + PIECE;
        Ok(Self {
            expected_ms: stream.expected_ms(),
            track: stream.track().clone(),
            reading: Some(Reading { stream, meter: LevelMeter::default(), planner }),
            // Set aside at once: growing step by step would copy, and hold twice as much for a moment.
            pcm: Vec::with_capacity(max_waiting),
            ready: VecDeque::new(),
            end: None,
            max_waiting,
        })
    }

    /// Length in milliseconds according to the headers, `None` where they lack it; the exact one once all has been read.
    pub fn expected_ms(&self) -> Option<u64> {
        self.end.as_ref().map(|end| end.duration_ms).or(self.expected_ms)
    }

    /// The audio track that is read.
    pub fn track(&self) -> &ChosenTrack {
        &self.track
    }

    /// How the stream ended; `None` before [`ChunkReader::next`] returned the last.
    pub fn end(&self) -> Option<&StreamEnd> {
        self.end.as_ref()
    }

    /// The next chunk and its samples (16 kHz mono, ±1); `None` after the last.
    ///
    /// # Errors
    /// As [`PcmStream::read_samples`] and [`PcmStream::finish`].
    pub async fn next(&mut self) -> Result<Option<(Span, Vec<f32>)>, MediaError> {
        let mut levels = Vec::new();
        loop {
            if let Some(chunk) = self.ready.pop_front() {
                return Ok(Some((chunk, self.cut(chunk))));
            }
            let Some(reading) = &mut self.reading else { return Ok(None) };
            let before = self.pcm.len();
            if reading.stream.read_samples(&mut self.pcm, PIECE).await? > 0 {
                levels.clear();
                reading.meter.push(&self.pcm[before..], &mut levels);
                reading.planner.push(&levels);
                self.ready.extend(reading.planner.chunks.drain(..));
            } else if let Some(Reading { stream, planner, .. }) = self.reading.take() {
                let end = stream.finish().await?;
                self.ready.extend(planner.finish(end.duration_ms).0);
                self.end = Some(end);
            }
        }
    }

    /// Takes the samples of `chunk`, which begins with the first that waits.
    fn cut(&mut self, chunk: Span) -> Vec<f32> {
        let length = usize::try_from(chunk.length_ms() * SAMPLES_PER_MS).unwrap_or(usize::MAX).min(self.pcm.len());
        let capacity = if self.reading.is_some() { self.max_waiting } else { self.pcm.len() - length };
        let mut rest = Vec::with_capacity(capacity);
        rest.extend_from_slice(&self.pcm[length..]);
        self.pcm.truncate(length);
        std::mem::replace(&mut self.pcm, rest)
    }
}
