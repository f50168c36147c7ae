//! `SubStation`'s overrides, which the players of `SubRip` know too.

/// Invisible, has no width and breaks no word (U+2060); between two characters it keeps them from being read together.
pub(super) const WORD_JOINER: char = '\u{2060}';

/// Keeps text from being read as overrides such as `{\an8}` and `\N`, without changing how it looks. Braces have no
/// escape that every player knows, so they become full-width braces.
pub(super) fn defuse(text: &str) -> String {
    text.replace('{', "｛").replace('}', "｝").replace('\\', &format!("\\{WORD_JOINER}"))
}
