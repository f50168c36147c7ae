//! Where the audio is quiet, by its level alone: a noise floor that follows the media, and two thresholds above it.
//!
//! For cutting, not for deciding where speech is (that is `vad`): the planner divides hours of audio in one pass and
//! only needs pauses. The detector errs on the side of sound, since Whisper takes a word that was cut in two for other
//! words.

use std::collections::VecDeque;

use ytcaption_domain::Span;

use crate::levels::{FRAME_MS, SILENCE_DB};

/// The noise floor is the quietest, and the level of sound the loudest, of this many frames before and
/// after: 5 s hold a pause or at least the closure of a stop consonant in any speech.
const REACH: usize = 500;

/// Sound begins this far above the floor … (dB)
const ON_ABOVE_FLOOR_DB: f32 = 7.0;
/// … and goes on until it is nearer than this. (dB)
const OFF_ABOVE_FLOOR_DB: f32 = 4.0;
/// What is this far below the loudest sound nearby is a breath or an echo. (dB)
const BELOW_LOUDEST_DB: f32 = 42.0;
/// What is quieter than this is inaudible. (dB relative to full scale)
pub(crate) const INAUDIBLE_DB: f32 = -72.0;

/// Shorter bursts are clicks. A quickly spoken "no" is about 200 ms of loud sound. (frames of 10 ms)
const LEAST_SOUND: usize = 15;

/// Shorter pauses belong to the sound around them. (frames of 10 ms)
const LEAST_SILENCE: usize = 30;

/// Frames over which levels are smoothed: one glottal period of a low voice is longer than a frame.
const SMOOTHING: usize = 3;

/// Smallest or largest value among the last frames, in constant time a frame.
#[derive(Debug)]
struct Extreme {
    /// 1 for the largest, −1 for the smallest.
    sign: f32,
    /// Candidates, best first, with their frames.
    candidates: VecDeque<(usize, f32)>,
}

impl Extreme {
    fn push(&mut self, frame: usize, level: f32) {
        while self.candidates.back().is_some_and(|(_, old)| self.sign * (level - old) >= 0.0) {
            self.candidates.pop_back();
        }
        self.candidates.push_back((frame, level));
    }

    fn since(&mut self, first: usize) -> f32 {
        while self.candidates.len() > 1 && self.candidates[0].0 < first {
            self.candidates.pop_front();
        }
        self.candidates.front().map_or(SILENCE_DB, |(_, level)| *level)
    }
}

/// Converts levels, pushed in any pieces, into spans of sound. Memory does not grow with the length of the media.
#[derive(Debug)]
pub(crate) struct SilenceDetector {
    recent: VecDeque<f32>,
    /// Smoothed levels that wait for the [`REACH`] frames after them.
    waiting: VecDeque<f32>,
    quietest: Extreme,
    loudest: Extreme,
    pushed: usize,
    decided: usize,
    /// First and last loud frame of the sound going on, and how many there were.
    open: Option<(usize, usize, usize)>,
}

impl Default for SilenceDetector {
    fn default() -> Self {
        Self {
            recent: VecDeque::with_capacity(SMOOTHING),
            waiting: VecDeque::with_capacity(REACH + 1),
            quietest: Extreme { sign: -1.0, candidates: VecDeque::new() },
            loudest: Extreme { sign: 1.0, candidates: VecDeque::new() },
            pushed: 0,
            decided: 0,
            open: None,
        }
    }
}

impl SilenceDetector {
    /// Takes levels in dB; appends the spans that ended meanwhile.
    pub(crate) fn push(&mut self, levels: &[f32], spans: &mut Vec<Span>) {
        for &level in levels {
            if self.recent.len() == SMOOTHING {
                self.recent.pop_front();
            }
            self.recent.push_back(level);
            let smooth = self.recent.iter().sum::<f32>() / self.recent.len() as f32;
            self.quietest.push(self.pushed, smooth);
            self.loudest.push(self.pushed, smooth);
            self.waiting.push_back(smooth);
            self.pushed += 1;
            if self.waiting.len() > REACH {
                self.decide(spans);
            }
        }
    }

    /// Ends the media: appends the spans that were still open.
    pub(crate) fn finish(&mut self, spans: &mut Vec<Span>) {
        while !self.waiting.is_empty() {
            self.decide(spans);
        }
        self.close(spans);
    }

    /// Everything before this time is known: no span to come begins earlier.
    pub(crate) fn settled_ms(&self) -> u64 {
        let frame = self.open.map_or(self.decided, |(first, _, _)| first);
        frame as u64 * FRAME_MS
    }

    fn decide(&mut self, spans: &mut Vec<Span>) {
        let Some(level) = self.waiting.pop_front() else { return };
        let frame = self.decided;
        self.decided += 1;
        let first = frame.saturating_sub(REACH);
        let floor = self.quietest.since(first);
        let audible = (self.loudest.since(first) - BELOW_LOUDEST_DB).max(INAUDIBLE_DB);
        match &mut self.open {
            None if level >= (floor + ON_ABOVE_FLOOR_DB).max(audible) => {
                self.open = Some((frame, frame, 1));
            }
            Some((_, last, loud)) if level >= (floor + OFF_ABOVE_FLOOR_DB).max(audible) => {
                *last = frame;
                *loud += 1;
            }
            Some((_, last, _)) if frame - *last >= LEAST_SILENCE => self.close(spans),
            _ => {}
        }
    }

    fn close(&mut self, spans: &mut Vec<Span>) {
        if let Some((first, last, loud)) = self.open.take()
            && loud >= LEAST_SOUND
        {
            spans.push(Span {
                // The smoothed level lags: sound may have begun that much earlier.
                start_ms: first.saturating_sub(SMOOTHING - 1) as u64 * FRAME_MS,
                end_ms: (last + 1) as u64 * FRAME_MS,
            });
        }
    }
}

#[cfg(test)]
mod tests;
