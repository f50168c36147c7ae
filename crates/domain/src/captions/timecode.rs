//! Times as caption files write them.

/// `HH:MM:SS` and milliseconds after `separator`; hours grow beyond two digits when they must.
pub(super) fn timecode(ms: u64, separator: char) -> String {
    let (seconds, ms) = (ms / 1000, ms % 1000);
    let (minutes, seconds) = (seconds / 60, seconds % 60);
    let (hours, minutes) = (minutes / 60, minutes % 60);
    format!("{hours:02}:{minutes:02}:{seconds:02}{separator}{ms:03}")
}
