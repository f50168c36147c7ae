//! `clip_timestamps`: only parts of the media are transcribed.

use ytcaption_domain::Span;

/// The clips of `seconds`: start, end, start, end, … A last start without an end goes on to the end of the media.
pub(crate) fn parse_clips(seconds: &[f32]) -> Vec<Span> {
    let ms = |seconds: f32| (f64::from(seconds) * 1000.0).round() as u64;
    seconds
        .chunks(2)
        .map(|clip| Span { start_ms: ms(clip[0]), end_ms: clip.get(1).map_or(u64::MAX, |end| ms(*end)) })
        .collect()
}

/// The same clips relative to a chunk that begins at `start_ms`; a clip that ends before it is left out, so that none
/// may be left.
pub(crate) fn for_chunk(seconds: &[f32], start_ms: u64) -> Vec<f32> {
    let shift = start_ms as f32 / 1000.0;
    let clips = seconds.chunks(2).filter(|clip| clip.get(1).is_none_or(|end| *end > shift));
    clips.flat_map(|clip| clip.iter().map(|time| (time - shift).max(0.0))).collect()
}

/// The parts of `speech` within `clips`.
pub(crate) fn within(speech: &[Span], clips: &[Span]) -> Vec<Span> {
    let inside = |span: &Span, clip: &Span| Span {
        start_ms: span.start_ms.max(clip.start_ms),
        end_ms: span.end_ms.min(clip.end_ms),
    };
    let parts = clips.iter().flat_map(|clip| speech.iter().map(move |span| inside(span, clip)));
    parts.filter(|part| part.length_ms() > 0).collect()
}

/// Whether these are times of clips: each later than the one before.
pub(crate) fn are_valid(seconds: &[f32]) -> bool {
    seconds.iter().all(|time| time.is_finite() && *time >= 0.0) && seconds.windows(2).all(|pair| pair[0] < pair[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(start_ms: u64, end_ms: u64) -> Span {
        Span { start_ms, end_ms }
    }

    #[test]
    fn a_clip_without_an_end_goes_on() {
        assert_eq!(parse_clips(&[1.5, 3.0, 10.0]), [span(1500, 3000), span(10_000, u64::MAX)]);
        assert_eq!(parse_clips(&[]), []);
    }

    #[test]
    fn a_chunk_has_the_clips_from_its_beginning_on() {
        assert_eq!(for_chunk(&[1.5, 3.0, 10.0], 2000), [0.0, 1.0, 8.0]);
        assert_eq!(for_chunk(&[1.5, 3.0, 10.0], 60_000), [0.0]);
        assert!(for_chunk(&[1.5, 3.0], 3000).is_empty());
    }

    #[test]
    fn only_speech_in_the_clips_is_left() {
        let speech = [span(0, 2000), span(3000, 9000)];
        assert_eq!(
            within(&speech, &[span(1000, 4000), span(8000, u64::MAX)]),
            [span(1000, 2000), span(3000, 4000), span(8000, 9000)]
        );
        assert_eq!(within(&speech, &[]), []);
    }

    #[test]
    fn times_ascend() {
        assert!(are_valid(&[]) && are_valid(&[0.0]) && are_valid(&[0.0, 1.0, 2.5, 3.0]));
        for bad in [&[-1.0][..], &[f32::NAN], &[0.0, f32::INFINITY], &[2.0, 1.0], &[1.0, 1.0]] {
            assert!(!are_valid(bad), "{bad:?}");
        }
    }
}
