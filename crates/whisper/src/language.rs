//! One language for a whole recording, however many workers share it.

use std::path::Path;

use crate::Span;
use crate::audio;
use crate::error::TranscribeError;
use crate::file::FileError;
use crate::options::TranscribeOptions;
use crate::transcriber::Transcriber;

/// How much is listened to at each place: a window of Whisper.
const PIECE_MS: u64 = 30_000;

/// The language of the recording at `path`: what is likeliest at `language_detection_segments` places spread evenly
/// over it, so that of two languages the one that is spoken more counts; `None` if nobody speaks at any of them.
///
/// # Errors
/// The file cannot be read, or the model fails.
pub async fn detect_language(
    transcriber: &Transcriber,
    path: &Path,
    duration_ms: u64,
    options: &TranscribeOptions,
) -> Result<Option<String>, FileError> {
    let mut pieces = Vec::new();
    for place in places(duration_ms, options.language_detection_segments) {
        pieces.push(audio::decode(path, Some(place)).await?.samples);
    }
    let (transcriber, options) = (transcriber.clone(), options.clone());
    let heard = tokio::task::spawn_blocking(move || transcriber.detect_language(&pieces, &options));
    Ok(heard.await.map_err(|error| TranscribeError::engine(&error))??)
}

/// So many stretches of [`PIECE_MS`], each in the middle of its share of the recording.
fn places(duration_ms: u64, count: usize) -> impl Iterator<Item = Span> {
    let count = count.max(1) as u64;
    let share = duration_ms / count;
    (0..count).map(move |place| {
        let start_ms = place * share + share.saturating_sub(PIECE_MS) / 2;
        Span { start_ms, end_ms: (start_ms + PIECE_MS.min(share)).min(duration_ms) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_lie_evenly_and_within_the_recording() {
        let found: Vec<Span> = places(3_600_000, 4).collect();
        let starts: Vec<u64> = found.iter().map(|place| place.start_ms).collect();
        assert_eq!(starts, [435_000, 1_335_000, 2_235_000, 3_135_000]);
        assert!(found.iter().all(|place| place.length_ms() == PIECE_MS));
        for duration_ms in [0, 1, 10, 50_000, 119_999] {
            assert!(places(duration_ms, 4).all(|place| place.end_ms <= duration_ms), "{duration_ms}");
        }
        assert_eq!(places(100, 0).count(), 1);
    }
}
