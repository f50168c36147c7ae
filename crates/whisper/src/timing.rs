//! How long the steps of a transcription take.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// A step of transcribing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Waiting for ffprobe and ffmpeg.
    Audio,
    /// Finding the speech.
    Speech,
    /// Computing spectrograms.
    Features,
    /// The model's encoder.
    Encoder,
    /// Detecting the language.
    Language,
    /// The model's decoder: writing the text.
    Decoder,
    /// Finding the times of words.
    Alignment,
}

impl Step {
    /// All steps, in the order in which audio passes them.
    pub const ALL: [Self; 7] =
        [Self::Audio, Self::Speech, Self::Features, Self::Encoder, Self::Language, Self::Decoder, Self::Alignment];

    /// Its name, in lower case.
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

/// From now on, calls `observer` with the time that each step of any transcription in this process took on the thread that
/// waited for it: for one batch of windows, for all speech of a chunk, or for all audio of a file. Only the first observer
/// is kept.
pub fn observe(observer: impl Fn(Step, Duration) + Send + Sync + 'static) {
    // A process that runs several workers calls this once for each.
    let _ = OBSERVER.set(Box::new(observer));
}

/// Reports how long a step took.
pub(crate) fn record(step: Step, time: Duration) {
    if let Some(observer) = OBSERVER.get() {
        observer(step, time);
    }
}

/// Does `work`, a part of `step`, and reports how long it took.
pub(crate) fn measured<T>(step: Step, work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let done = work();
    record(step, started.elapsed());
    done
}
