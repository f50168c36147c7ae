//! Looking at a model's files before CTranslate2 does: its own errors name no file, and a damaged
//! middle of `model.bin` it does not notice at all.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::ModelError;
use super::weights::Weights;

const WEIGHTS: &str = "model.bin";
const CONFIG: &str = "config.json";
const VOCABULARY: &str = "vocabulary.json";
/// Older converters wrote one token a line.
const OLD_VOCABULARY: &str = "vocabulary.txt";
const PREPROCESSOR: &str = "preprocessor_config.json";
const CHECKSUMS: &str = "SHA256SUMS";

/// Window of every published Whisper, in seconds.
const CHUNK_LENGTH_S: u32 = 30;

/// What the small files hold.
pub(super) struct ModelFiles {
    pub(super) config: ModelConfig,
    pub(super) vocabulary: Vec<String>,
    pub(super) chunk_length_s: u32,
    pub(super) weights: Weights,
    /// Mel bins the encoder was built for.
    pub(super) mels: usize,
    /// Whether there are checksums.
    pub(super) checksums: bool,
}

/// The part of `config.json` that concerns us.
#[derive(Deserialize)]
pub(super) struct ModelConfig {
    #[serde(default)]
    pub(super) lang_ids: Vec<usize>,
    pub(super) alignment_heads: Option<Vec<(usize, usize)>>,
}

#[derive(Deserialize)]
struct Preprocessor {
    chunk_length: Option<u32>,
}

impl ModelFiles {
    pub(super) fn check(dir: &Path, verify_checksums: bool) -> Result<Self, ModelError> {
        if !dir.is_dir() {
            return Err(ModelError::NoFolder { path: dir.to_owned() });
        }
        let weights_path = dir.join(WEIGHTS);
        if !weights_path.exists() {
            return Err(missing(dir, WEIGHTS));
        }
        let weights = Weights::read(&weights_path)?;
        let config = read_json(dir, CONFIG)?.ok_or_else(|| missing(dir, CONFIG))?;
        let vocabulary: Vec<String> = match read_json(dir, VOCABULARY)? {
            Some(tokens) => tokens,
            None => read(dir, OLD_VOCABULARY)?
                .map(|text| text.lines().map(str::to_owned).collect())
                .ok_or_else(|| missing(dir, VOCABULARY))?,
        };
        let preprocessor: Option<Preprocessor> = read_json(dir, PREPROCESSOR)?;
        let mels = check_shapes(dir, &weights, &vocabulary)?;
        if verify_checksums {
            check_sums(dir)?;
        }
        let chunk_length_s = preprocessor.and_then(|p| p.chunk_length).unwrap_or(CHUNK_LENGTH_S);
        let chunk_length_s = chunk_length_s.clamp(1, CHUNK_LENGTH_S);
        let checksums = dir.join(CHECKSUMS).is_file();
        Ok(Self { config, vocabulary, chunk_length_s, weights, mels, checksums })
    }

    /// As CTranslate2 sees it: an empty token stands only in the vocabularies of many languages.
    pub(super) fn is_multilingual(&self) -> bool {
        self.vocabulary.iter().any(String::is_empty)
    }
}

fn missing(dir: &Path, file: &'static str) -> ModelError {
    ModelError::MissingFile { path: dir.to_owned(), file }
}

/// The file's text, or `None` when it is not there.
fn read(dir: &Path, file: &str) -> Result<Option<String>, ModelError> {
    let path = dir.join(file);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ModelError::Unreadable { path, source }),
    }
}

fn read_json<T: DeserializeOwned>(dir: &Path, file: &str) -> Result<Option<T>, ModelError> {
    read(dir, file)?
        .map(|text| {
            serde_json::from_str(&text)
                .map_err(|error| ModelError::BrokenFile { path: dir.join(file), reason: error.to_string() })
        })
        .transpose()
}

/// Whether weights and vocabulary belong together; a token without a row, or a row without a token, would have
/// CTranslate2 read beside its tables. Answers the number of mel bins.
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
fn check_sums(dir: &Path) -> Result<(), ModelError> {
    let Some(sums) = read(dir, CHECKSUMS)? else { return Ok(()) };
    for line in sums.lines() {
        let Some((sum, name)) = line.split_once(char::is_whitespace) else { continue };
        let name = name.trim_start().trim_start_matches('*');
        let path = dir.join(name);
        // Only the model's own files: a list of checksums is no way to have others read.
        if Path::new(name).file_name() != Some(name.as_ref()) {
            return Err(ModelError::BrokenFile {
                path: dir.join(CHECKSUMS),
                reason: format!("it names {name:?}, which is no file of this folder"),
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
