//! The chunks of a recording together with their sound, while the rest is still being read.

use std::collections::VecDeque;
use std::path::Path;

use super::{DECISION_DELAY_MS, PlanSettings, Planner};
use crate::Span;
use crate::audio::{AudioError, Ending, PcmStream, SAMPLE_RATE, SAMPLES_PER_MS};
use crate::silence::Envelope;

/// One second a read.
const PIECE: usize = SAMPLE_RATE as usize;

/// Reads a recording once, and gives its chunks one by one: the same that [`super::plan_chunks`] would name.
pub(crate) struct Chunks {
    /// `None` when everything has been read.
    reading: Option<Reading>,
    /// Samples of what comes next.
    pcm: Vec<f32>,
    /// Chunks whose sound is there.
    ready: VecDeque<Span>,
    ending: Option<Ending>,
    expected_ms: Option<u64>,
    /// Samples that may have to wait in `pcm`.
    most_waiting: usize,
}

struct Reading {
    stream: PcmStream,
    envelope: Envelope,
    planner: Planner,
}

impl Chunks {
    pub(crate) async fn open(path: &Path, settings: PlanSettings) -> Result<Self, AudioError> {
        let stream = PcmStream::open(path, None).await?;
        let planner = Planner::new(settings);
        let most_ms = planner.longest_ms() + DECISION_DELAY_MS;
        let most_waiting = usize::try_from(most_ms * SAMPLES_PER_MS).unwrap_or(0) + PIECE;
        Ok(Self {
            expected_ms: stream.expected_ms(),
            reading: Some(Reading { stream, envelope: Envelope::default(), planner }),
            // Set aside at once: growing step by step would copy, and hold twice as much for a moment.
            pcm: Vec::with_capacity(most_waiting),
            ready: VecDeque::new(),
            ending: None,
            most_waiting,
        })
    }

    /// Length that the headers promise, in milliseconds; what has been read is more exact.
    pub(crate) fn expected_ms(&self) -> Option<u64> {
        self.ending.as_ref().map(|ending| ending.duration_ms).or(self.expected_ms)
    }

    /// How the recording ended; `None` before [`Chunks::next`] gave the last.
    pub(crate) fn ending(&self) -> Option<&Ending> {
        self.ending.as_ref()
    }

    /// The next chunk and its samples.
    pub(crate) async fn next(&mut self) -> Result<Option<(Span, Vec<f32>)>, AudioError> {
        let mut levels = Vec::new();
        loop {
            if let Some(chunk) = self.ready.pop_front() {
                return Ok(Some((chunk, self.cut(chunk))));
            }
            let Some(reading) = &mut self.reading else { return Ok(None) };
            let before = self.pcm.len();
            if reading.stream.read(&mut self.pcm, PIECE).await? > 0 {
                levels.clear();
                reading.envelope.push(&self.pcm[before..], &mut levels);
                reading.planner.push(&levels);
                self.ready.extend(reading.planner.chunks.drain(..));
            } else if let Some(Reading { stream, planner, .. }) = self.reading.take() {
                let ending = stream.finish().await?;
                self.ready.extend(planner.finish(ending.duration_ms).0);
                self.ending = Some(ending);
            }
        }
    }

    /// Takes the samples of `chunk`, which begins with the first that waits.
    fn cut(&mut self, chunk: Span) -> Vec<f32> {
        let length = usize::try_from(chunk.length_ms() * SAMPLES_PER_MS).unwrap_or(usize::MAX).min(self.pcm.len());
        let capacity = if self.reading.is_some() { self.most_waiting } else { self.pcm.len() - length };
        let mut rest = Vec::with_capacity(capacity);
        rest.extend_from_slice(&self.pcm[length..]);
        self.pcm.truncate(length);
        std::mem::replace(&mut self.pcm, rest)
    }
}
