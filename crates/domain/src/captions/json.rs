//! The transcript as it is kept.

use super::Transcript;

/// Pretty-printed, with all that is known of each segment.
pub(super) fn write(transcript: &Transcript) -> String {
    let mut out = serde_json::to_string_pretty(transcript).expect("a transcript holds only strings, numbers and lists");
    out.push('\n');
    out
}
