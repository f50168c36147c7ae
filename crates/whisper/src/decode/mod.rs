//! Windows of audio to segments of text.
//!
//! [`decode`] takes a batch of windows through [`EncodedBatch`] (encoder, language, decoder with fallback, alignment), drops
//! what looks hallucinated, and decodes again what the model left unwritten. The modules in their order, each of which
//! uses only those before it: `window`, `hallucinations`, `context`, `hypothesis`,
//! `timestamps`, `words`, `edges`, `loops`, `encoder_output`, `batch`.

mod batch;
mod context;
mod edges;
mod encoder_output;
mod hallucinations;
mod hypothesis;
mod loops;
mod timestamps;
mod window;
mod words;

use ytcaption_domain::captions::Segment;

use batch::EncodedBatch;
use hallucinations::Cut;

pub(crate) use context::{Context, PREVIOUS_TOKENS};
pub(crate) use window::Window;

use crate::error::TranscribeError;
use crate::features::FeatureExtractor;
use crate::model::Model;

/// faster-whisper's `prompt_reset_on_temperature`: text found at a temperature above this is not a prompt.
const RESET_PROMPT_ABOVE: f32 = 0.5;

/// Windows to decode together.
pub(crate) struct Batch {
    pub(crate) windows: Vec<Window>,
    /// ISO 639 code; `None`: detect it from these windows.
    pub(crate) language: Option<String>,
    /// Text tokens before this window; only with `condition_on_previous_text`.
    pub(crate) previous: Vec<usize>,
    /// Its one window begins with the prefix.
    pub(crate) prefixed: bool,
}

/// What [`decode`] returns.
pub(crate) struct DecodedBatch {
    pub(crate) segments: Vec<Segment>,
    pub(crate) language: String,
    /// Text tokens to give the next window; empty when they would mislead it.
    pub(crate) previous: Vec<usize>,
}

/// Decodes a batch, and again the parts of its windows that were not written.
pub(crate) fn decode(
    model: &Model,
    extractor: &FeatureExtractor,
    context: &Context,
    mut batch: Batch,
) -> Result<DecodedBatch, TranscribeError> {
    let mut segments = Vec::new();
    let mut previous = Vec::new();
    let mut language = batch.language.take();
    let mut prefix = if batch.prefixed { context.prefix.as_slice() } else { &[] };
    while !batch.windows.is_empty() {
        let encoded = EncodedBatch::encode(model, extractor, context, std::mem::take(&mut batch.windows))?;
        let spoken = match language {
            Some(known) => known,
            None => encoded.detect_language(context.options.language_detection_segments.max(1))?,
        };
        let hypotheses = encoded.generate(&spoken, &batch.previous, std::mem::take(&mut prefix))?;
        let (written, unwritten): (Vec<_>, Vec<_>) =
            encoded.windows().iter().zip(&hypotheses).map(|(window, text)| encoded.split(window, text)).unzip();
        let decoded = encoded.into_segments(&spoken, &hypotheses, written)?;
        for (((window, mut found), unwritten), hypothesis) in decoded.into_iter().zip(unwritten).zip(&hypotheses) {
            let cut = context.find_hallucination(window.span, &found);
            if cut.is_none() && hypothesis.temperature <= RESET_PROMPT_ABOVE {
                previous.extend(hypothesis.text_tokens(&model.tokenizer.vocabulary));
            } else {
                previous.clear();
            }
            batch.windows.extend(match cut {
                None => unwritten,
                Some(Cut { kept, resume_ms }) => {
                    found.truncate(kept);
                    Some(window.starting_at(resume_ms)).filter(|rest| !rest.speech.is_empty())
                }
            });
            found.iter_mut().for_each(words::separate);
            segments.extend(found);
        }
        language = Some(spoken);
    }
    segments.sort_by_key(|segment: &Segment| segment.start_ms);
    loops::drop_repeated(&mut segments);
    Ok(DecodedBatch { segments, language: language.unwrap_or_default(), previous })
}

/// The language that is likeliest over all these windows.
pub(crate) fn detect_language(
    model: &Model,
    extractor: &FeatureExtractor,
    context: &Context,
    windows: Vec<Window>,
) -> Result<String, TranscribeError> {
    let all = windows.len();
    EncodedBatch::encode(model, extractor, context, windows)?.detect_language(all)
}
