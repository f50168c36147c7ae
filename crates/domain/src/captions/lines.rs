//! Breaking text into lines.

/// Characters of a line that can be read at a glance (the BBC's and Netflix's guidelines: 37 to 42).
pub(super) const LINE: usize = 42;

/// Lines of one cue.
pub(super) const LINES: usize = 2;

/// One line without control characters, with single spaces: no caption format survives a blank line.
pub(super) fn tidy(text: &str) -> String {
    let visible: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A piece of text that is not broken, and what stands between it and the piece before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) text: String,
    pub(super) spaced: bool,
}

impl Piece {
    pub(super) fn width(&self) -> usize {
        self.text.chars().count()
    }

    /// Whether a clause ends here: the best place for a break.
    fn ends_clause(&self) -> bool {
        self.text
            .trim_end_matches(['"', '\'', ')', '”', '’', '»'])
            .ends_with(['.', ',', ';', ':', '!', '?', '…', '—', '。', '、', '！', '？', '،', '؟'])
    }
}

/// The words of a tidied text. What is longer than a line (addresses, scripts without spaces) is cut.
pub(super) fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let characters: Vec<char> = word.chars().collect();
        for (i, part) in characters.chunks(LINE).enumerate() {
            pieces.push(Piece { text: part.iter().collect(), spaced: i == 0 });
        }
    }
    pieces
}

/// The pieces as one line.
pub(super) fn join(pieces: &[Piece]) -> String {
    let mut line = String::new();
    for (i, piece) in pieces.iter().enumerate() {
        if i > 0 && piece.spaced {
            line.push(' ');
        }
        line.push_str(&piece.text);
    }
    line
}

/// Characters of the pieces as one line.
pub(super) fn width(pieces: &[Piece]) -> usize {
    let spaces = pieces.iter().skip(1).filter(|piece| piece.spaced).count();
    pieces.iter().map(Piece::width).sum::<usize>() + spaces
}

/// Whether the pieces fit into one cue.
pub(super) fn fits(pieces: &[Piece]) -> bool {
    width(pieces) <= LINE || (LINES == 2 && line_break(pieces).is_some())
}

/// The lines of pieces that fit into one cue.
pub(super) fn wrap(pieces: &[Piece]) -> Vec<String> {
    if width(pieces) <= LINE {
        return vec![join(pieces)];
    }
    match line_break(pieces) {
        Some(at) => vec![join(&pieces[..at]), join(&pieces[at..])],
        None => vec![join(pieces)],
    }
}

/// Where the second line begins: both fit, and they are about as long, or the first ends a clause.
fn line_break(pieces: &[Piece]) -> Option<usize> {
    (1..pieces.len())
        .filter(|&at| width(&pieces[..at]) <= LINE && width(&pieces[at..]) <= LINE)
        .min_by_key(|&at| unevenness(pieces, at))
}

/// Where text too long for one cue is best parted in two.
pub(super) fn cue_break(pieces: &[Piece]) -> usize {
    (1..pieces.len()).min_by_key(|&at| unevenness(pieces, at)).unwrap_or(pieces.len())
}

/// Difference in length of the two sides, halved for a break after a clause.
fn unevenness(pieces: &[Piece], at: usize) -> usize {
    let difference = width(&pieces[..at]).abs_diff(width(&pieces[at..]));
    if pieces[at - 1].ends_clause() { difference / 2 } else { difference + 1 }
}
