//! A window of audio for the model.

use ytcaption_domain::Span;
use ytcaption_media::SAMPLES_PER_MS;

/// An interval of the audio that the model decodes at once; times count from the start of the audio.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    pub(crate) span: Span,
    pub(crate) samples: Vec<f32>,
    /// The speech in it, not padded; the whole window without the speech detector.
    pub(crate) speech: Vec<Span>,
}

impl Window {
    /// The interval `span` of `pcm`, whose first sample is at 0.
    pub(crate) fn cut(pcm: &[f32], span: Span, speech: Vec<Span>) -> Self {
        let sample = |ms: u64| usize::try_from(ms * SAMPLES_PER_MS).unwrap_or(usize::MAX).min(pcm.len());
        Self { span, samples: pcm[sample(span.start_ms)..sample(span.end_ms)].to_vec(), speech }
    }

    /// The part of the window from `start_ms` on.
    pub(super) fn starting_at(&self, start_ms: u64) -> Self {
        let skipped = (start_ms - self.span.start_ms) * SAMPLES_PER_MS;
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX).min(self.samples.len());
        Self {
            span: Span { start_ms, ..self.span },
            samples: self.samples[skipped..].to_vec(),
            speech: self.speech.iter().filter(|span| span.end_ms > start_ms).copied().collect(),
        }
    }
}
