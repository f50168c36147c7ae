//! The declarations of `native/engine.cpp` for Rust.
#![expect(unsafe_code, reason = "CTranslate2 is C++; what is called here is declared once, and cxx checks both sides")]
#![allow(unreachable_pub, reason = "cxx writes `pub` before everything")]

#[cxx::bridge(namespace = "ytcaption")]
pub(super) mod ffi {
    /// How the decoder searches for a text; names and meaning as in CTranslate2's `WhisperOptions`.
    #[derive(Debug, Clone)]
    struct Search {
        /// Hypotheses kept, 1 to 64; 1 is greedy search or sampling.
        beam_size: usize,
        /// Above 0: the search ends when `beam_size` × `patience` hypotheses are complete.
        patience: f32,
        /// Exponent of the length by which a score is divided.
        length_penalty: f32,
        /// Above 1 makes tokens less likely that were written before; above 0.
        repetition_penalty: f32,
        /// Groups of this many tokens are not written twice; 0 allows them.
        no_repeat_ngram_size: usize,
        /// In tokens, prompt included, at most 448; CTranslate2 writes at most half of it.
        max_length: usize,
        /// Tokens to sample from; 1 takes the likeliest, 0 the whole distribution.
        sampling_topk: usize,
        /// Above 0; 1 leaves the distribution as it is.
        sampling_temperature: f32,
        /// Texts to draw, of which the likeliest is returned, 1 to 64.
        num_hypotheses: usize,
        /// The first timestamp is at most this, in steps of 20 ms.
        max_initial_timestamp_index: usize,
        /// Whether a text may not begin with a blank.
        suppress_blank: bool,
        /// Ids of tokens that are never written.
        suppress_tokens: Vec<i32>,
    }

    /// The best text found for a window.
    #[derive(Debug)]
    struct Generation {
        /// Text and timestamps, without the end of text.
        tokens: Vec<usize>,
        /// Sum of the tokens' log probabilities over length^`length_penalty`; at most 0.
        score: f32,
        /// Probability that the window has no speech, 0 to 1.
        no_speech_prob: f32,
    }

    /// A language token such as `<|en|>`, and its probability, 0 to 1.
    #[derive(Debug)]
    struct LanguageProbability {
        token: String,
        probability: f32,
    }

    /// The probabilities of all languages for one window.
    #[derive(Debug)]
    struct LanguageProbabilities {
        languages: Vec<LanguageProbability>,
    }

    /// The path through the attention of a window: `tokens[i]` was written at `frames[i]` of the encoder.
    #[derive(Debug)]
    struct Alignment {
        /// Indexes into the window's text, ascending.
        tokens: Vec<i64>,
        /// Positions of the encoder, 20 ms each, ascending.
        frames: Vec<i64>,
        /// Of each text token, 0 to 1.
        probabilities: Vec<f32>,
    }

    unsafe extern "C++" {
        include!("ytcaption-whisper/native/engine.h");

        type Engine;
        #[namespace = "ctranslate2"]
        type StorageView;

        fn load(
            dir: &str,
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
        fn detect_language(self: &Engine, encoded: &StorageView) -> Result<Vec<LanguageProbabilities>>;
        fn align(
            self: &Engine,
            encoded: &StorageView,
            start: &[usize],
            tokens: &[usize],
            lengths: &[usize],
            frames: &[usize],
            median_filter_width: i64,
        ) -> Result<Vec<Alignment>>;

        /// The view points to `values`, which must stay in memory as long as it exists.
        unsafe fn view(
            values: &mut [f32],
            windows: usize,
            rows: usize,
            columns: usize,
        ) -> Result<UniquePtr<StorageView>>;
        /// Empty if they are not 32-bit floats in the memory of this process.
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
    // SAFETY: `View` keeps the borrow of the values as long as the view exists.
    unsafe { ffi::view(values, windows, rows, columns) }
}
