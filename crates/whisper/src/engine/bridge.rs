//! `native/engine.cpp` for Rust.
#![expect(unsafe_code, reason = "CTranslate2 is C++; what is called here is declared once, and cxx checks both sides")]
#![allow(unreachable_pub, reason = "cxx writes `pub` before everything")]

#[cxx::bridge(namespace = "ytcaption")]
pub(super) mod ffi {
    /// How a text is searched for; names as in CTranslate2's `WhisperOptions`.
    #[derive(Debug, Clone)]
    struct Search {
        beam_size: usize,
        patience: f32,
        length_penalty: f32,
        repetition_penalty: f32,
        no_repeat_ngram_size: usize,
        max_length: usize,
        sampling_topk: usize,
        sampling_temperature: f32,
        num_hypotheses: usize,
        max_initial_timestamp_index: usize,
        suppress_blank: bool,
        suppress_tokens: Vec<i32>,
    }

    /// The best text found for a window.
    #[derive(Debug)]
    struct Generation {
        tokens: Vec<usize>,
        /// Sum of the tokens' log probabilities over length^`length_penalty`.
        score: f32,
        no_speech_prob: f32,
    }

    /// A language and how likely it is.
    #[derive(Debug)]
    struct Found {
        token: String,
        probability: f32,
    }

    /// What a window may be spoken in.
    #[derive(Debug)]
    struct Languages {
        found: Vec<Found>,
    }

    /// The path through the attention of a window: which token was written at which frame of the encoder.
    #[derive(Debug)]
    struct Alignment {
        tokens: Vec<i64>,
        frames: Vec<i64>,
        /// Of each text token.
        probabilities: Vec<f32>,
    }

    unsafe extern "C++" {
        include!("ytcaption-whisper/native/engine.h");

        type Engine;
        #[namespace = "ctranslate2"]
        type StorageView;

        fn load(
            folder: &str,
            device: &str,
            device_index: i32,
            compute_type: &str,
            replicas: usize,
            threads: usize,
        ) -> Result<UniquePtr<Engine>>;
        fn is_multilingual(self: &Engine) -> bool;
        fn mels(self: &Engine) -> usize;
        fn encode(self: &Engine, features: &StorageView) -> Result<UniquePtr<StorageView>>;
        fn generate(
            self: &Engine,
            encoded: &StorageView,
            windows: usize,
            prompt: &[usize],
            search: &Search,
        ) -> Result<Vec<Generation>>;
        fn detect_language(self: &Engine, encoded: &StorageView) -> Result<Vec<Languages>>;
        fn align(
            self: &Engine,
            encoded: &StorageView,
            start: &[usize],
            tokens: &[usize],
            lengths: &[usize],
            frames: &[usize],
            median_filter_width: i64,
        ) -> Result<Vec<Alignment>>;

        /// The view points to `values`, which must stay where they are as long as it lives.
        unsafe fn view(
            values: &mut [f32],
            windows: usize,
            rows: usize,
            columns: usize,
        ) -> Result<UniquePtr<StorageView>>;
        /// Empty if they are not 32-bit floats in this memory.
        fn values(view: &StorageView) -> &[f32];
    }
}

// SAFETY: every call of an engine puts a job into a queue that a lock guards and waits for its future; its workers are
// threads of its own, which its destructor joins.
unsafe impl Send for ffi::Engine {}
// SAFETY: as above.
unsafe impl Sync for ffi::Engine {}

/// A view of `windows` tables of `rows` and `columns`, one after the other.
pub(super) fn view(
    values: &mut [f32],
    windows: usize,
    [rows, columns]: [usize; 2],
) -> Result<cxx::UniquePtr<ffi::StorageView>, cxx::Exception> {
    assert_eq!(values.len(), windows * rows * columns, "a view must not reach past its values");
    // SAFETY: `View` keeps the borrow of the values as long as the view lives.
    unsafe { ffi::view(values, windows, rows, columns) }
}
