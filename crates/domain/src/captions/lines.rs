//! Breaking a cue into lines.

use super::breaks::cheapest;
use super::{CueStyle, Piece};

/// Cost of a line: more than anything that a further line could save.
const LINE: u64 = 1_000_000;
/// Cost of a line that ends within a clause, in squared columns: an unevenness of some twelve.
const WITHIN_CLAUSE: u64 = 150;

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

/// Columns of the pieces as one line.
pub(super) fn width(pieces: &[Piece]) -> usize {
    let spaces = pieces.iter().skip(1).filter(|piece| piece.spaced).count();
    pieces.iter().map(|piece| piece.columns).sum::<usize>() + spaces
}

/// Whether the pieces fit into one cue, each line as full as it gets.
pub(super) fn fit(pieces: &[Piece], style: &CueStyle) -> bool {
    let most_words = style.max_words_per_line.map_or(usize::MAX, usize::from);
    let (mut lines, mut words, mut columns) = (1, 0, 0);
    for piece in pieces {
        let space = usize::from(piece.spaced && words > 0);
        if words > 0 && (words == most_words || columns + space + piece.columns > usize::from(style.max_line_width)) {
            (lines, words, columns) = (lines + 1, 1, piece.columns);
        } else {
            (words, columns) = (words + 1, columns + space + piece.columns);
        }
    }
    lines <= style.max_line_count
}

/// The fewest lines that the pieces fit into, about as long as each other, and broken after clauses.
pub(super) fn wrap(pieces: &[Piece], style: &CueStyle) -> Vec<Vec<Piece>> {
    let limit = usize::from(style.max_line_width);
    let cost = |part: std::ops::Range<usize>| {
        let line = &pieces[part.clone()];
        if line.len() > 1 && !is_line(line, style) {
            return None;
        }
        let slack = limit.saturating_sub(width(line)) as u64;
        let within_clause = part.end < pieces.len() && !line.last().is_some_and(Piece::ends_clause);
        Some(LINE + slack * slack + if within_clause { WITHIN_CLAUSE } else { 0 })
    };
    cheapest(pieces.len(), cost).into_iter().map(|part| pieces[part].to_vec()).collect()
}

fn is_line(pieces: &[Piece], style: &CueStyle) -> bool {
    let few = style.max_words_per_line.is_none_or(|most| pieces.len() <= usize::from(most));
    few && (pieces.len() == 1 || width(pieces) <= usize::from(style.max_line_width))
}
