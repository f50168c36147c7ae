//! One language for a whole file, however many workers share it.

use ytcaption_domain::Span;
use ytcaption_media::MediaInput;

use crate::error::{FileError, TranscribeError};
use crate::options::TranscribeOptions;
use crate::timing::{self, Step};
use crate::transcriber::Transcriber;

/// Length of each sample: a window of Whisper.
const SAMPLE_MS: u64 = 30_000;

/// The language of a file: the likeliest over `language_detection_segments` samples spread evenly over it, so
/// that of two languages the one that is spoken more counts; `None` if none of the samples has speech. `duration_ms` is
/// the length of the file.
///
/// # Errors
/// The file cannot be read, or the model fails.
pub async fn detect_language(
    transcriber: &Transcriber,
    input: impl Into<MediaInput<'_>>,
    duration_ms: u64,
    options: &TranscribeOptions,
) -> Result<Option<String>, FileError> {
    let input = input.into();
    let mut pieces = Vec::new();
    for span in sample_spans(duration_ms, options.language_detection_segments) {
        let pcm = ytcaption_media::decode(input, Some(span)).await?;
        timing::record(Step::Audio, pcm.waited);
        pieces.push(pcm.samples);
    }
    let (transcriber, options) = (transcriber.clone(), options.clone());
    let detected = tokio::task::spawn_blocking(move || transcriber.detect_language(&pieces, &options));
    Ok(detected.await.map_err(|error| TranscribeError::engine(&error))??)
}

/// `count` spans of [`SAMPLE_MS`], each in the middle of its share of the file.
fn sample_spans(duration_ms: u64, count: usize) -> impl Iterator<Item = Span> {
    let count = count.max(1) as u64;
    let share = duration_ms / count;
    (0..count).map(move |i| {
        let start_ms = i * share + share.saturating_sub(SAMPLE_MS) / 2;
        Span { start_ms, end_ms: (start_ms + SAMPLE_MS.min(share)).min(duration_ms) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_spread_evenly_and_within_the_file() {
        let found: Vec<Span> = sample_spans(3_600_000, 4).collect();
        let starts: Vec<u64> = found.iter().map(|span| span.start_ms).collect();
        assert_eq!(starts, [435_000, 1_335_000, 2_235_000, 3_135_000]);
        assert!(found.iter().all(|span| span.length_ms() == SAMPLE_MS));
        for duration_ms in [0, 1, 10, 50_000, 119_999] {
            assert!(sample_spans(duration_ms, 4).all(|span| span.end_ms <= duration_ms), "{duration_ms}");
        }
        assert_eq!(sample_spans(100, 0).count(), 1);
    }
}
