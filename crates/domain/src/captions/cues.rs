//! Cues: the text, divided into units that can be read at once.

use std::ops::Range;

use super::breaks::cheapest;
use super::lines::{fit, join, width, wrap};
use super::pieces::{are_spaced, pieces};
use super::{CueStyle, Piece, Transcript};

/// Speech after a silence longer than this begins a new cue, in milliseconds.
const JOIN_GAP_MS: u64 = 500;
/// A silence between two words at which a cue may well end, in milliseconds.
const BREAK_SILENCE_MS: u64 = 300;
/// A cue may appear this long before it is spoken, in milliseconds, if it would be shown too short otherwise.
const LEAD_MS: u64 = 300;

// Costs of a cue; only their proportions matter.
const CUE: u64 = 100;
const AFTER_CLAUSE: u64 = 40;
const AFTER_SILENCE: u64 = 60;
const WITHIN_CLAUSE: u64 = 140;
/// Two segments in one cue: only worth it if one would be shown too short or would be a single word.
const JOINED: u64 = 250;
const ONE_WORD: u64 = 150;
/// A cue that is shown for no time at all; in proportion, one that is shown too short.
const TOO_SHORT: u64 = 500;
/// A cue that is spoken for longer than it may be shown, and could be two.
const TOO_LONG: u64 = 400;
/// An empty cue; in proportion to its square, one that is not full, so that neighbours become even.
const EMPTY: u64 = 100;

/// Text that is shown at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cue {
    /// When it appears, in milliseconds.
    pub start_ms: u64,
    /// When it goes, in milliseconds; after `start_ms`, and not after the next one appears.
    pub end_ms: u64,
    /// Its lines, none of them empty.
    pub lines: Vec<Vec<Piece>>,
}

impl Cue {
    /// Its lines as text.
    pub fn text_lines(&self) -> Vec<String> {
        self.lines.iter().map(|line| join(line)).collect()
    }

    /// Columns of its text.
    fn width(&self) -> usize {
        self.lines.iter().map(|line| width(line)).sum()
    }
}

/// The cues of a transcript in the order of time: broken after sentences, clauses and silences, without single words,
/// shown long enough to be read.
pub fn cues(transcript: &Transcript, style: &CueStyle) -> Vec<Cue> {
    let script = Script::new(transcript, style);
    let parts = cheapest(script.pieces.len(), |part| script.cost(&part));
    let mut cues: Vec<Cue> = parts.into_iter().map(|part| script.cue(part)).collect();
    give_time(&mut cues, style);
    cues
}

/// The whole text, in pieces.
struct Script<'a> {
    style: &'a CueStyle,
    pieces: Vec<Piece>,
    /// Index of each piece's segment.
    segments: Vec<usize>,
}

impl<'a> Script<'a> {
    fn new(transcript: &Transcript, style: &'a CueStyle) -> Self {
        let mut script = Self { style, pieces: Vec::new(), segments: Vec::new() };
        for (index, segment) in transcript.segments.iter().enumerate() {
            let mut added = pieces(segment, usize::from(style.max_line_width));
            if let (Some(before), Some(first)) = (script.pieces.last(), added.first_mut()) {
                first.spaced = are_spaced(&before.text, &first.text);
            }
            script.pieces.append(&mut added);
            script.segments.resize(script.pieces.len(), index);
        }
        script
    }

    fn cue(&self, part: Range<usize>) -> Cue {
        let pieces = &self.pieces[part];
        let ends_ms = pieces.last().map_or(0, |last| last.end_ms);
        Cue { start_ms: pieces[0].start_ms, end_ms: ends_ms, lines: wrap(pieces, self.style) }
    }

    /// The cost of showing these pieces as one cue; `None` if they cannot be one.
    fn cost(&self, part: &Range<usize>) -> Option<u64> {
        let pieces = &self.pieces[part.clone()];
        let joined = self.segments[part.end - 1] - self.segments[part.start];
        if pieces.len() > 1 {
            let silence = pieces.windows(2).any(|pair| gap_ms(&pair[0], &pair[1]) > JOIN_GAP_MS);
            if (joined > 0 && silence) || !fit(pieces, self.style) {
                return None;
            }
        }
        Some(CUE + JOINED * joined as u64 + self.cost_of_break(part) + self.cost_of_size(part, pieces))
    }

    /// The cost of ending the cue where it ends.
    fn cost_of_break(&self, part: &Range<usize>) -> u64 {
        let last = &self.pieces[part.end - 1];
        match self.pieces.get(part.end) {
            None => 0,
            Some(_) if self.segments[part.end] != self.segments[part.end - 1] => 0,
            Some(_) if last.ends_sentence() => 0,
            Some(_) if last.ends_clause() => AFTER_CLAUSE,
            Some(next) if gap_ms(last, next) >= BREAK_SILENCE_MS => AFTER_SILENCE,
            Some(_) => WITHIN_CLAUSE,
        }
    }

    /// The cost of a cue that is small, shown too short, or spoken for too long.
    fn cost_of_size(&self, part: &Range<usize>, pieces: &[Piece]) -> u64 {
        let columns = width(pieces);
        let shown_ms = self.pieces.get(part.end).map(|next| next.start_ms.saturating_sub(pieces[0].start_ms));
        let wanted_ms = self.style.reading_ms(columns).max(1);
        let missing_ms = shown_ms.map_or(0, |shown_ms| wanted_ms.saturating_sub(shown_ms));
        let length_ms = pieces[pieces.len() - 1].end_ms.saturating_sub(pieces[0].start_ms);
        let too_long = length_ms > u64::from(self.style.max_cue_duration_ms);
        let most = usize::from(self.style.max_line_width) * usize::from(self.style.max_line_count);
        let free_percent = (100 * most.saturating_sub(columns) / most.max(1)) as u64;
        let words_wanted = self.style.max_words_per_line.is_none_or(|most| most > 1);
        let alone = words_wanted && pieces.len() == 1 && self.has_neighbour(part.start);
        TOO_SHORT * missing_ms / wanted_ms
            + EMPTY * free_percent * free_percent / 10_000
            + if alone { ONE_WORD } else { 0 }
            + if too_long { TOO_LONG } else { 0 }
    }

    /// Whether the piece's segment has others.
    fn has_neighbour(&self, piece: usize) -> bool {
        let segment = self.segments[piece];
        let is_same = |other: Option<usize>| other.and_then(|i| self.segments.get(i)) == Some(&segment);
        is_same(piece.checked_sub(1)) || is_same(Some(piece + 1))
    }
}

fn gap_ms(before: &Piece, after: &Piece) -> u64 {
    after.start_ms.saturating_sub(before.end_ms)
}

/// Gives each cue the time that reading takes: from the silence after it, then from the silence before.
fn give_time(cues: &mut [Cue], style: &CueStyle) {
    let mut free_from_ms = 0;
    for i in 0..cues.len() {
        let next_ms = cues.get(i + 1).map_or(u64::MAX, |next| next.start_ms);
        let cue = &mut cues[i];
        let start_ms = cue.start_ms.max(free_from_ms);
        let wanted_ms = style.reading_ms(cue.width());
        let longest_ms = start_ms + u64::from(style.max_cue_duration_ms);
        cue.end_ms = cue.end_ms.max(start_ms + wanted_ms).min(longest_ms).min(next_ms).max(start_ms + 1);
        let missing_ms = wanted_ms.saturating_sub(cue.end_ms - start_ms);
        cue.start_ms = start_ms.saturating_sub(missing_ms.min(LEAD_MS)).max(free_from_ms);
        free_from_ms = cue.end_ms;
    }
}
