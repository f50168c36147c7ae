//! How long the steps of transcribing take, for whoever wants to know.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// A step of transcribing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Waiting for ffprobe and ffmpeg.
    Audio,
    /// Finding out where somebody speaks.
    Speech,
    /// Computing spectrograms.
    Features,
    /// The model's encoder.
    Encoder,
    /// Hearing which language is spoken.
    Language,
    /// The model's decoder: writing the text.
    Decoder,
    /// Finding the times of words.
    Alignment,
}

impl Step {
    /// All steps, in the order in which sound passes them.
    pub const ALL: [Self; 7] =
        [Self::Audio, Self::Speech, Self::Features, Self::Encoder, Self::Language, Self::Decoder, Self::Alignment];

    /// Its name, in small letters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::Speech => "speech",
            Self::Features => "features",
            Self::Encoder => "encoder",
            Self::Language => "language",
            Self::Decoder => "decoder",
            Self::Alignment => "alignment",
        }
    }
}

type Observer = Box<dyn Fn(Step, Duration) + Send + Sync>;

static OBSERVER: OnceLock<Observer> = OnceLock::new();

/// From now on, `observer` hears how long each step of any transcription in this process took on the thread that waited
/// for it: for one batch of windows, for all speech of a recording, or for all its audio. The first observer stays.
pub fn observe(observer: impl Fn(Step, Duration) + Send + Sync + 'static) {
    // A process that runs several workers asks once for each.
    let _ = OBSERVER.set(Box::new(observer));
}

/// Tells how long a step took.
pub(crate) fn took(step: Step, time: Duration) {
    if let Some(observer) = OBSERVER.get() {
        observer(step, time);
    }
}

/// Does a part of a step.
pub(crate) fn measured<T>(step: Step, work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let done = work();
    took(step, begun.elapsed());
    done
}
