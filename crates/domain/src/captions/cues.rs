//! Cues: segments cut to what fits on the screen.

use super::lines::{self, Piece};
use super::{Segment, Transcript};

/// Text that is shown at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cue {
    /// When it appears, in milliseconds.
    pub start_ms: u64,
    /// When it goes, in milliseconds; after `start_ms`.
    pub end_ms: u64,
    /// One or two lines of about 42 characters, none of them empty.
    pub lines: Vec<String>,
}

/// The cues of a transcript in the order of time. Long segments are parted at clauses and words; each
/// part gets the time of its words where that is known, else its share by length.
pub fn cues(transcript: &Transcript) -> Vec<Cue> {
    transcript.segments.iter().flat_map(of_segment).collect()
}

fn of_segment(segment: &Segment) -> Vec<Cue> {
    let pieces = lines::pieces(&lines::tidy(&segment.text));
    if pieces.is_empty() {
        return Vec::new();
    }
    let clock = Clock::new(segment, &pieces);
    let mut cues = Vec::new();
    let mut first = 0;
    for part in part(&pieces) {
        let last = first + part.len();
        let (start_ms, end_ms) = clock.times(first, last);
        cues.push(Cue { start_ms, end_ms: end_ms.max(start_ms + 1), lines: lines::wrap(part) });
        first = last;
    }
    cues
}

/// Halves the pieces until each part fits into a cue.
fn part(pieces: &[Piece]) -> Vec<&[Piece]> {
    if pieces.len() < 2 || lines::fits(pieces) {
        return vec![pieces];
    }
    let (left, right) = pieces.split_at(lines::cue_break(pieces));
    [part(left), part(right)].concat()
}

/// When each piece of a segment is spoken.
struct Clock {
    /// Start of each piece, and the end of the last.
    starts_ms: Vec<u64>,
    /// End of each piece.
    ends_ms: Vec<u64>,
}

impl Clock {
    fn new(segment: &Segment, pieces: &[Piece]) -> Self {
        Self::from_words(segment, pieces).unwrap_or_else(|| Self::by_length(segment, pieces))
    }

    /// Takes the words' own times, if they are the pieces.
    fn from_words(segment: &Segment, pieces: &[Piece]) -> Option<Self> {
        let same = segment.words.len() == pieces.len()
            && segment.words.iter().zip(pieces).all(|(word, piece)| word.text.trim() == piece.text);
        same.then(|| Self {
            starts_ms: segment.words.iter().map(|word| word.start_ms).collect(),
            ends_ms: segment.words.iter().map(|word| word.end_ms).collect(),
        })
    }

    /// Shares the segment's time out by characters.
    fn by_length(segment: &Segment, pieces: &[Piece]) -> Self {
        let total: usize = pieces.iter().map(|piece| piece.width() + 1).sum();
        let length_ms = segment.end_ms.saturating_sub(segment.start_ms);
        let mut spoken = 0;
        let mut at = |width: usize| {
            spoken += width;
            segment.start_ms + length_ms * spoken as u64 / total as u64
        };
        let ends_ms: Vec<u64> = pieces.iter().map(|piece| at(piece.width() + 1)).collect();
        let starts_ms = std::iter::once(segment.start_ms).chain(ends_ms.iter().copied()).take(pieces.len());
        Self { starts_ms: starts_ms.collect(), ends_ms }
    }

    /// When pieces `first..last` are spoken.
    fn times(&self, first: usize, last: usize) -> (u64, u64) {
        (self.starts_ms[first], self.ends_ms[last - 1])
    }
}
