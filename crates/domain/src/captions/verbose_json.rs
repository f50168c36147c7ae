//! What `OpenAI`'s audio API returns for `response_format=verbose_json`
//! (<https://platform.openai.com/docs/api-reference/audio/verbose-json-object>).

use serde::Serialize;

use super::format::CaptionFormat;
use super::pieces::are_spaced;
use super::{CueStyle, Segment, Transcript};
use crate::language;

#[derive(Serialize)]
struct Document<'a> {
    /// The language's English name in lower case, as the API writes it.
    language: String,
    duration: f64,
    text: String,
    segments: Vec<Part<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    words: Vec<SpokenWord<'a>>,
}

#[derive(Serialize)]
struct Part<'a> {
    id: usize,
    /// Where the decoder's window begins in frames; not kept, and 0 as in other servers.
    seek: u32,
    start: f64,
    end: f64,
    text: &'a str,
    /// Numbers of the tokens; not kept, and clients must have the key.
    tokens: [u32; 0],
    temperature: f32,
    avg_logprob: f32,
    compression_ratio: f32,
    no_speech_prob: f32,
}

#[derive(Serialize)]
struct SpokenWord<'a> {
    word: &'a str,
    start: f64,
    end: f64,
}

pub(super) const FORMAT: CaptionFormat = CaptionFormat {
    name: "verbose_json",
    extension: "json",
    content_type: "application/json",
    highlights_words: false,
    write,
};

/// One JSON object.
fn write(transcript: &Transcript, _style: &CueStyle) -> String {
    let segments = &transcript.segments;
    let words = segments.iter().flat_map(|segment| &segment.words).map(|word| SpokenWord {
        word: word.text.trim(),
        start: seconds(word.start_ms),
        end: seconds(word.end_ms),
    });
    let document = Document {
        language: language::name(&transcript.language).unwrap_or(&transcript.language).to_lowercase(),
        duration: seconds(transcript.duration_ms),
        text: join(segments),
        segments: segments.iter().enumerate().map(|(id, segment)| part(id, segment)).collect(),
        words: words.collect(),
    };
    let mut out = serde_json::to_string(&document).expect("it holds only strings, numbers and lists");
    out.push('\n');
    out
}

/// The text of all segments as one line.
fn join(segments: &[Segment]) -> String {
    let mut out = String::new();
    for segment in segments {
        if !out.is_empty() && are_spaced(&out, &segment.text) {
            out.push(' ');
        }
        out.push_str(&segment.text);
    }
    out
}

fn part(id: usize, segment: &Segment) -> Part<'_> {
    Part {
        id,
        seek: 0,
        start: seconds(segment.start_ms),
        end: seconds(segment.end_ms),
        text: &segment.text,
        tokens: [],
        temperature: segment.temperature,
        avg_logprob: segment.avg_logprob,
        compression_ratio: segment.compression_ratio,
        no_speech_prob: segment.no_speech_prob,
    }
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 285,000 years")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}
