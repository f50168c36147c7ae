//! Text in pieces that are not broken, and when each is spoken.

use unicode_linebreak::{BreakOpportunity, linebreaks};
use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

use super::Segment;

/// A piece of text that is not broken: mostly a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The text, without spaces around it; never empty.
    pub text: String,
    /// Whether a space separates it from the piece before.
    pub spaced: bool,
    /// When it is spoken, in milliseconds.
    pub start_ms: u64,
    /// When it ends, in milliseconds; never before `start_ms`.
    pub end_ms: u64,
    /// Columns it takes; a full-width character takes two.
    pub(super) columns: usize,
}

impl Piece {
    /// Whether a sentence ends here.
    pub(super) fn ends_sentence(&self) -> bool {
        self.bare().ends_with(['.', '!', '?', '…', '。', '！', '？', '؟', '।'])
    }

    /// Whether a clause ends here.
    pub(super) fn ends_clause(&self) -> bool {
        self.ends_sentence() || self.bare().ends_with([',', ';', ':', '—', '–', '、', '，', '،', '；'])
    }

    fn bare(&self) -> &str {
        self.text.trim_end_matches(['"', '\'', ')', ']', '”', '’', '»', '」', '』'])
    }
}

/// One line without control characters, with single spaces: no caption format survives a blank line.
pub(super) fn tidy(text: &str) -> String {
    let visible: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a space belongs between two texts that follow one another: not where one of them meets the other in a script
/// that is written without spaces between sentences (Chinese, Japanese).
pub(super) fn are_spaced(before: &str, after: &str) -> bool {
    let mut meeting = before.chars().next_back().into_iter().chain(after.chars().next());
    !meeting.any(|c| {
        matches!(c, '\u{2E80}'..='\u{30FF}' | '\u{31C0}'..='\u{31FF}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}'
            | '\u{F900}'..='\u{FAFF}' | '\u{FE30}'..='\u{FE4F}' | '\u{FF00}'..='\u{FFEF}' | '\u{20000}'..='\u{3FFFF}')
    })
}

/// The pieces of a segment, broken where Unicode allows it (UAX #14); what is wider than a line is cut between
/// characters as people see them. Each has the time of its word where that is known, else its share by length.
pub(super) fn pieces(segment: &Segment, max_line_width: usize) -> Vec<Piece> {
    let text = tidy(&segment.text);
    let mut pieces = Vec::new();
    let (mut begin, mut spaced) = (0, false);
    for (end, opportunity) in linebreaks(&text) {
        let unbroken = &text[begin..end];
        for part in cut(unbroken.trim_end(), max_line_width) {
            pieces.push(Piece { columns: part.width(), text: part, spaced, start_ms: 0, end_ms: 0 });
            spaced = false;
        }
        spaced = unbroken.ends_with(' ');
        begin = end;
        debug_assert!(opportunity == BreakOpportunity::Allowed || end == text.len(), "a tidy text is one line");
    }
    let clock = Clock::new(segment, &pieces);
    let mut spoken = 0;
    for piece in &mut pieces {
        let next = spoken + characters(&piece.text);
        (piece.start_ms, piece.end_ms) = (clock.at(spoken).0, clock.at(next - 1).1);
        spoken = next;
    }
    pieces
}

/// The text in parts of at most `width` columns, unless a single character is wider.
fn cut(text: &str, width: usize) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for character in text.graphemes(true) {
        match parts.last_mut() {
            Some(part) if part.width() + character.width() <= width => part.push_str(character),
            _ => parts.push(character.to_owned()),
        }
    }
    parts
}

fn characters(text: &str) -> usize {
    text.chars().filter(|c| !c.is_whitespace()).count()
}

/// When each visible character of a segment is spoken.
struct Clock {
    /// One past the last character of each word, and the word's time.
    words: Vec<(usize, u64, u64)>,
}

impl Clock {
    fn new(segment: &Segment, pieces: &[Piece]) -> Self {
        let total = pieces.iter().map(|piece| characters(&piece.text)).sum();
        Self::of_words(segment, total).unwrap_or_else(|| Self::by_length(segment, pieces, total))
    }

    /// Takes the words' own times, if the words are the text.
    fn of_words(segment: &Segment, total: usize) -> Option<Self> {
        let mut spoken = 0;
        let words = segment.words.iter().map(|word| {
            spoken += characters(&tidy(&word.text));
            (spoken, word.start_ms, word.end_ms.max(word.start_ms))
        });
        let words: Vec<_> = words.collect();
        (spoken == total).then_some(Self { words })
    }

    /// Shares the segment's time out by characters.
    fn by_length(segment: &Segment, pieces: &[Piece], total: usize) -> Self {
        let length_ms = segment.end_ms.saturating_sub(segment.start_ms);
        let at = |spoken: usize| segment.start_ms + length_ms * spoken as u64 / total.max(1) as u64;
        let mut spoken = 0;
        let words = pieces.iter().map(|piece| {
            let begin = spoken;
            spoken += characters(&piece.text);
            (spoken, at(begin), at(spoken))
        });
        Self { words: words.collect() }
    }

    /// The time of the word that the character belongs to.
    fn at(&self, character: usize) -> (u64, u64) {
        let word = self.words.partition_point(|(end, ..)| *end <= character);
        self.words.get(word).map_or((0, 0), |&(_, start_ms, end_ms)| (start_ms, end_ms))
    }
}
