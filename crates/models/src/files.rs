//! A model's files, checked before CTranslate2 loads them: its own errors name no file, and it does not notice changed
//! bytes in the middle of `model.bin`.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use crate::weights::Weights;
use crate::{Checksums, Dimensions, ModelError, Vocabulary, consistency};

const WEIGHTS: &str = "model.bin";
const CONFIG: &str = "config.json";
const VOCABULARY: &str = "vocabulary.json";
/// Older converters wrote one token a line.
const OLD_VOCABULARY: &str = "vocabulary.txt";
const PREPROCESSOR: &str = "preprocessor_config.json";
const CHECKSUMS: &str = "SHA256SUMS";

/// The only language of a model that is not multilingual.
pub const ENGLISH: &str = "en";

/// Window of every published Whisper, in seconds.
const CHUNK_LENGTH_S: u32 = 30;

/// The content of a model's small files, and the table of contents of its weights.
pub struct ModelFiles {
    /// The tokens.
    pub vocabulary: Vocabulary,
    /// ISO 639 codes of the languages the model understands, in the model's order.
    pub languages: Vec<String>,
    /// Whether the model understands more than English.
    pub multilingual: bool,
    /// Whether it has alignment heads, and so can find the time of each word.
    pub can_align: bool,
    /// Seconds of audio in a full window: 30 for every published Whisper.
    pub chunk_length_s: u32,
    /// Mel bins the encoder was built for: 80 or 128.
    pub mels: usize,
    /// Whether the directory has a `SHA256SUMS`.
    pub has_checksums: bool,
    pub(crate) weights: Weights,
}

/// The part of `config.json` that this program or CTranslate2 uses.
#[derive(Deserialize)]
pub(crate) struct Config {
    #[serde(default)]
    pub(crate) lang_ids: Vec<usize>,
    #[serde(default)]
    pub(crate) suppress_ids: Vec<usize>,
    #[serde(default)]
    pub(crate) suppress_ids_begin: Vec<usize>,
    /// Further ways to store weights, which Whisper does not have.
    #[serde(default)]
    pub(crate) quantization_type: u32,
    /// Layer of the decoder and head.
    pub(crate) alignment_heads: Option<Vec<(usize, usize)>>,
}

#[derive(Deserialize)]
struct Preprocessor {
    chunk_length: Option<u32>,
}

impl ModelFiles {
    /// Reads everything in `dir` but the numbers of the weights; checks that all files exist, are whole and belong to one
    /// model, and compares their checksums if `checksums` says so.
    ///
    /// # Errors
    /// The directory or a file is missing, unreadable, broken, or not of a Whisper model.
    pub fn open(dir: &Path, checksums: Checksums) -> Result<Self, ModelError> {
        if !dir.is_dir() {
            return Err(ModelError::NoDirectory { path: dir.to_owned() });
        }
        let weights_path = dir.join(WEIGHTS);
        if !weights_path.exists() {
            return Err(missing(dir, WEIGHTS));
        }
        let weights = Weights::open(&weights_path)?;
        let config: Config = parse_json(dir, CONFIG)?.ok_or_else(|| missing(dir, CONFIG))?;
        let tokens: Vec<String> = match parse_json(dir, VOCABULARY)? {
            Some(tokens) => tokens,
            None => read_text(dir, OLD_VOCABULARY)?
                .map(|text| text.lines().map(str::to_owned).collect())
                .ok_or_else(|| missing(dir, VOCABULARY))?,
        };
        let preprocessor: Option<Preprocessor> = parse_json(dir, PREPROCESSOR)?;
        let mels = check_shapes(dir, &weights, &tokens)?;
        if checksums == Checksums::Verify {
            verify_checksums(dir)?;
        }
        let chunk_length_s =
            preprocessor.and_then(|p| p.chunk_length).unwrap_or(CHUNK_LENGTH_S).clamp(1, CHUNK_LENGTH_S);
        consistency::check(&weights, &config, tokens.len(), chunk_length_s)
            .map_err(|reason| ModelError::Inconsistent { path: dir.to_owned(), reason })?;
        // As CTranslate2 decides: only the vocabularies of many languages have an empty token.
        let multilingual = tokens.iter().any(String::is_empty);
        let vocabulary = Vocabulary::new(tokens).map_err(|token| ModelError::missing_token(dir, token))?;
        Ok(Self {
            languages: if multilingual { vocabulary.languages(&config.lang_ids) } else { vec![ENGLISH.to_owned()] },
            multilingual,
            can_align: config.alignment_heads.is_some_and(|heads| !heads.is_empty()),
            chunk_length_s,
            mels,
            has_checksums: dir.join(CHECKSUMS).is_file(),
            vocabulary,
            weights,
        })
    }

    /// The dimensions that determine the size of a replica's buffers.
    pub fn dimensions(&self) -> Dimensions {
        self.weights.dimensions()
    }
}

fn missing(dir: &Path, file: &'static str) -> ModelError {
    ModelError::MissingFile { path: dir.to_owned(), file }
}

/// The file's text; `None` if it does not exist.
fn read_text(dir: &Path, file: &str) -> Result<Option<String>, ModelError> {
    let path = dir.join(file);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ModelError::Unreadable { path, source }),
    }
}

fn parse_json<T: DeserializeOwned>(dir: &Path, file: &str) -> Result<Option<T>, ModelError> {
    read_text(dir, file)?
        .map(|text| {
            serde_json::from_str(&text)
                .map_err(|error| ModelError::BrokenFile { path: dir.join(file), reason: error.to_string() })
        })
        .transpose()
}

/// Whether weights and vocabulary belong together; a token without a row, or a row without a token, would have
/// CTranslate2 read outside its tables. Returns the number of mel bins.
fn check_shapes(dir: &Path, weights: &Weights, vocabulary: &[String]) -> Result<usize, ModelError> {
    let not_whisper = |reason: &str| ModelError::NotWhisper { path: dir.to_owned(), reason: reason.to_owned() };
    let tokens = weights.tokens().ok_or_else(|| not_whisper("its decoder has no embeddings"))?;
    let mels = weights.mels().ok_or_else(|| not_whisper("its encoder has no convolution"))?;
    if tokens == vocabulary.len() {
        return Ok(mels);
    }
    let path = dir.join(if dir.join(VOCABULARY).exists() { VOCABULARY } else { OLD_VOCABULARY });
    let reason =
        format!("it has {} tokens and the weights have {tokens}: they are of different models", vocabulary.len());
    Err(ModelError::BrokenFile { path, reason })
}

/// Compares every file that `SHA256SUMS` names (the format of the program `sha256sum`).
fn verify_checksums(dir: &Path) -> Result<(), ModelError> {
    let Some(sums) = read_text(dir, CHECKSUMS)? else { return Ok(()) };
    for line in sums.lines() {
        let Some((sum, name)) = line.split_once(char::is_whitespace) else { continue };
        let name = name.trim_start().trim_start_matches('*');
        let path = dir.join(name);
        // Only the model's own files: a list of checksums must not have others read.
        if Path::new(name).file_name() != Some(name.as_ref()) {
            return Err(ModelError::BrokenFile {
                path: dir.join(CHECKSUMS),
                reason: format!("it lists {name:?}, which is not a file of this directory"),
            });
        }
        let unreadable = |source| ModelError::Unreadable { path: path.clone(), source };
        let mut file = BufReader::with_capacity(1 << 20, File::open(&path).map_err(unreadable)?);
        let mut hash = Sha256::new();
        std::io::copy(&mut file, &mut hash).map_err(unreadable)?;
        let hex = hash.finalize().iter().fold(String::with_capacity(64), |mut hex, byte| {
            use std::fmt::Write as _;
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        if !hex.eq_ignore_ascii_case(sum) {
            return Err(ModelError::Checksum { path });
        }
    }
    Ok(())
}
