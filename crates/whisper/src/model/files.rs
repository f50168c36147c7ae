//! Looking at a model's files before CTranslate2 does: its own errors name no file, and a damaged
//! middle of `model.bin` it does not notice at all.

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::ModelError;

const WEIGHTS: &str = "model.bin";
const CONFIG: &str = "config.json";
const VOCABULARY: &str = "vocabulary.json";
/// Older converters wrote one token a line.
const OLD_VOCABULARY: &str = "vocabulary.txt";
const PREPROCESSOR: &str = "preprocessor_config.json";
const CHECKSUMS: &str = "SHA256SUMS";

/// The name CTranslate2 writes at the head of a Whisper `model.bin`.
const SPEC: &str = "WhisperSpec";

/// Window of every published Whisper, in seconds.
const CHUNK_LENGTH_S: u32 = 30;

/// What the small files hold.
pub(super) struct ModelFiles {
    pub(super) config: ModelConfig,
    pub(super) vocabulary: Vec<String>,
    pub(super) chunk_length_s: u32,
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
        check_header(dir)?;
        let config = read_json(dir, CONFIG)?.ok_or_else(|| missing(dir, CONFIG))?;
        let vocabulary = match read_json(dir, VOCABULARY)? {
            Some(tokens) => tokens,
            None => read(dir, OLD_VOCABULARY)?
                .map(|text| text.lines().map(str::to_owned).collect())
                .ok_or_else(|| missing(dir, VOCABULARY))?,
        };
        let preprocessor: Option<Preprocessor> = read_json(dir, PREPROCESSOR)?;
        if verify_checksums {
            check_sums(dir)?;
        }
        let chunk_length_s = preprocessor.and_then(|p| p.chunk_length).unwrap_or(CHUNK_LENGTH_S);
        Ok(Self { config, vocabulary, chunk_length_s: chunk_length_s.clamp(1, CHUNK_LENGTH_S) })
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

/// `model.bin` begins with a format version (u32), then the length (u16) and text of the spec's name.
fn check_header(dir: &Path) -> Result<(), ModelError> {
    let path = dir.join(WEIGHTS);
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(missing(dir, WEIGHTS));
        }
        Err(source) => return Err(ModelError::Unreadable { path, source }),
    };
    let broken = |reason: &str| ModelError::BrokenFile { path: path.clone(), reason: reason.to_owned() };
    let mut head = [0_u8; 6];
    file.read_exact(&mut head).map_err(|_| broken("it is too short"))?;
    let name_length = usize::from(u16::from_le_bytes([head[4], head[5]]));
    // Spec names are short class names; anything else is not CTranslate2's format.
    if name_length > 64 {
        return Err(broken("it is not in CTranslate2's format"));
    }
    let mut name = vec![0_u8; name_length];
    file.read_exact(&mut name).map_err(|_| broken("it is too short"))?;
    let name = String::from_utf8_lossy(&name);
    let name = name.trim_end_matches('\0');
    if name == SPEC {
        Ok(())
    } else if name.ends_with("Spec") {
        let reason = format!("it holds a {name}");
        Err(ModelError::NotWhisper { path: dir.to_owned(), reason })
    } else {
        Err(broken("it is not in CTranslate2's format"))
    }
}

/// Compares every file that `SHA256SUMS` names (the format of the program `sha256sum`).
fn check_sums(dir: &Path) -> Result<(), ModelError> {
    let Some(sums) = read(dir, CHECKSUMS)? else { return Ok(()) };
    for line in sums.lines() {
        let Some((sum, name)) = line.split_once(char::is_whitespace) else { continue };
        let path = dir.join(name.trim_start().trim_start_matches('*'));
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
