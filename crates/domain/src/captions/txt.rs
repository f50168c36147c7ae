//! Plain text.

use super::Transcript;
use super::pieces::tidy;

/// A line for each segment.
pub(super) fn write(transcript: &Transcript) -> String {
    let mut out = String::new();
    for segment in &transcript.segments {
        out.push_str(&tidy(&segment.text));
        out.push('\n');
    }
    out
}
