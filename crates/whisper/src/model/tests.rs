#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use tempfile::TempDir;
use ytcaption_models::{Checksums, ModelError, ModelInfo};

use super::*;
use crate::engine::footprint;
use crate::testing::model_dir;

const NAMES: [&str; 3] = ["model.bin", "config.json", "vocabulary.json"];

/// A copy of the demo model to break.
fn copy() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in NAMES {
        std::fs::write(dir.path().join(name), std::fs::read(model_dir().join(name)).unwrap()).unwrap();
    }
    dir
}

fn load(dir: &Path) -> Result<Model, LoadError> {
    Model::load(dir, &ModelSettings::default())
}

fn file_error(dir: &Path) -> ModelError {
    match load(dir).err() {
        Some(LoadError::Model(error)) => error,
        other => panic!("the files are broken, not {other:?}"),
    }
}

#[test]
fn the_loaded_model_is_described() {
    let model = load(&model_dir()).unwrap();
    assert!(model.multilingual);
    assert_eq!(model.languages, ["en", "pt"]);
    assert_eq!((model.mels, model.replicas()), (80, 1));
}

#[test]
fn a_missing_directory_or_file_is_named() {
    let dir = copy();
    let error = file_error(&dir.path().join("nothing")).to_string();
    assert!(error.contains("no model directory at"), "{error}");
    for name in NAMES {
        let dir = copy();
        std::fs::remove_file(dir.path().join(name)).unwrap();
        assert!(file_error(dir.path()).to_string().contains(&format!("has no {name}")), "{name}");
    }
}

#[test]
fn broken_files_are_errors() {
    let cases: [(&str, &[u8]); 7] = [
        ("config.json", b"{\"lang_ids\": ["),
        ("config.json", b"[]"),
        ("vocabulary.json", b"{}"),
        ("preprocessor_config.json", b"no"),
        ("model.bin", b""),
        ("model.bin", b"not a model, only text that is long enough"),
        ("model.bin", &[0; 4096]),
    ];
    for (name, content) in cases {
        let dir = copy();
        std::fs::write(dir.path().join(name), content).unwrap();
        let error = file_error(dir.path());
        assert!(matches!(error, ModelError::BrokenFile { .. }), "{name}: {error}");
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn a_truncated_model_is_an_error() {
    let dir = copy();
    let path = dir.path().join("model.bin");
    let bytes = std::fs::read(&path).unwrap();
    for part in [bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..part]).unwrap();
        let error = file_error(dir.path());
        assert!(matches!(error, ModelError::BrokenFile { .. }), "{part} bytes: {error}");
        assert!(error.to_string().contains("ends too early"), "{error}");
    }
}

#[test]
fn another_kind_of_model_is_an_error() {
    let dir = copy();
    let path = dir.path().join("model.bin");
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.windows(11).position(|name| name == b"WhisperSpec").unwrap();
    bytes[at..at + 11].copy_from_slice(b"BigBertSpec");
    std::fs::write(&path, bytes).unwrap();
    let error = file_error(dir.path()).to_string();
    assert!(error.contains("is not a Whisper model: it holds a BigBertSpec"), "{error}");
    let dir = copy();
    let text = std::fs::read_to_string(dir.path().join("vocabulary.json")).unwrap();
    std::fs::write(dir.path().join("vocabulary.json"), text.replace("startoftranscript", "other")).unwrap();
    assert!(file_error(dir.path()).to_string().contains("<|startoftranscript|>"));
}

#[test]
fn a_vocabulary_of_another_model_is_an_error() {
    let text = std::fs::read_to_string(model_dir().join("vocabulary.json")).unwrap();
    let tokens: Vec<String> = serde_json::from_str(&text).unwrap();
    let longer = [tokens.clone(), vec!["<|30.02|>".to_owned()]].concat();
    for changed in [&tokens[..tokens.len() - 1], &longer] {
        let dir = copy();
        std::fs::write(dir.path().join("vocabulary.json"), serde_json::to_string(changed).unwrap()).unwrap();
        let error = file_error(dir.path()).to_string();
        assert!(error.contains("of different models"), "{error}");
    }
}

#[test]
fn a_wrong_table_of_contents_is_an_error() {
    let bytes = std::fs::read(model_dir().join("model.bin")).unwrap();
    let first_variable = bytes.windows(18).position(|name| name == b"decoder/activation").unwrap();
    let count = first_variable - 2 - 4;
    for (offset, value) in [(0, 7), (count, u8::MAX), (count + 3, u8::MAX), (first_variable + 19, 200)] {
        let dir = copy();
        let mut bytes = bytes.clone();
        bytes[offset] = value;
        std::fs::write(dir.path().join("model.bin"), bytes).unwrap();
        let error = file_error(dir.path());
        assert!(matches!(error, ModelError::BrokenFile { .. }), "byte {offset}: {error}");
    }
}

#[test]
fn the_footprint_is_known_before_loading() {
    let info = ModelInfo::open(&model_dir(), Checksums::Skip).unwrap();
    let weights_bytes =
        |compute_type| footprint(&info, &ModelSettings { compute_type, ..ModelSettings::default() }).weights_bytes;
    assert_eq!((info.precision, info.mels, info.multilingual, info.can_align), ("int8", 80, true, true));
    assert_eq!(info.languages, ["en", "pt"]);
    // Nearly all of the file is weights, and nothing takes less memory than on disk.
    let weights = weights_bytes(ComputeType::Default);
    assert!(weights > info.weights_bytes * 9 / 10, "{info:?}");
    let wider = weights_bytes(ComputeType::Float32) - weights;
    assert!(wider > info.weights_bytes * 3 / 2, "four bytes in place of one: {wider} more");
}

#[test]
fn a_list_of_checksums_cannot_name_other_files() {
    let dir = copy();
    std::fs::write(dir.path().join("SHA256SUMS"), format!("{}  ../../etc/passwd\n", "0".repeat(64))).unwrap();
    let error = file_error(dir.path()).to_string();
    assert!(error.contains("not a file of this directory"), "{error}");
}

#[test]
fn a_card_that_cannot_be_used_is_an_error() {
    let settings = ModelSettings { device: Device::Cuda, device_index: 99, ..ModelSettings::default() };
    let error = Model::load(&model_dir(), &settings).err().unwrap().to_string();
    let expected = if cfg!(feature = "cuda") { "no NVIDIA card number 99" } else { "YTCAPTION_BACKEND=shared" };
    assert!(error.contains(expected), "{error}");
}

#[test]
fn checksums_find_what_loading_does_not() {
    let dir = copy();
    let sums = |dir: &Path| {
        let sum = |name| {
            use sha2::Digest as _;
            let hash = sha2::Sha256::digest(std::fs::read(dir.join(name)).unwrap());
            format!("{hash:x}  {name}\n")
        };
        NAMES.map(sum).concat()
    };
    std::fs::write(dir.path().join("SHA256SUMS"), sums(dir.path())).unwrap();
    load(dir.path()).unwrap();
    let path = dir.path().join("model.bin");
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xFF;
    std::fs::write(&path, bytes).unwrap();
    let error = file_error(dir.path());
    assert!(matches!(&error, ModelError::Checksum { path } if path.ends_with("model.bin")), "{error}");
    let unchecked = ModelSettings { verify_checksums: false, ..ModelSettings::default() };
    assert!(Model::load(dir.path(), &unchecked).is_ok(), "CTranslate2 itself does not notice");
}

#[test]
fn a_precision_the_machine_lacks_is_an_error() {
    let settings = ModelSettings { compute_type: ComputeType::Float16, ..ModelSettings::default() };
    let error = Model::load(&model_dir(), &settings).err().unwrap().to_string();
    assert!(error.contains("float16"), "{error}");
}
