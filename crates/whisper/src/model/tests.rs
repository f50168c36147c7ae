#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use tempfile::TempDir;

use super::*;
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

fn load(dir: &Path) -> Result<Model, ModelError> {
    Model::load(dir, &ModelSettings::default())
}

fn refused(dir: &Path) -> ModelError {
    load(dir).err().expect("the model is broken")
}

#[test]
fn knows_what_it_loaded() {
    let model = load(&model_dir()).unwrap();
    assert!(model.is_multilingual());
    assert_eq!(model.languages, ["en", "pt"]);
    assert_eq!((model.mels, model.replicas()), (80, 1));
}

#[test]
fn a_missing_folder_or_file_is_named() {
    let dir = copy();
    let error = refused(&dir.path().join("nothing")).to_string();
    assert!(error.contains("no model folder at"), "{error}");
    for name in NAMES {
        let dir = copy();
        std::fs::remove_file(dir.path().join(name)).unwrap();
        assert!(refused(dir.path()).to_string().contains(&format!("has no {name}")), "{name}");
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
        ("model.bin", b"no model at all, only text that is long enough"),
        ("model.bin", &[0; 4096]),
    ];
    for (name, content) in cases {
        let dir = copy();
        std::fs::write(dir.path().join(name), content).unwrap();
        let error = refused(dir.path());
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
        assert!(matches!(refused(dir.path()), ModelError::Load { .. }), "{part} bytes");
    }
}

#[test]
fn another_kind_of_model_is_told_apart() {
    let dir = copy();
    let path = dir.path().join("model.bin");
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.windows(11).position(|name| name == b"WhisperSpec").unwrap();
    bytes[at..at + 11].copy_from_slice(b"BigBertSpec");
    std::fs::write(&path, bytes).unwrap();
    let error = refused(dir.path()).to_string();
    assert!(error.contains("is not a Whisper model: it holds a BigBertSpec"), "{error}");
    let dir = copy();
    std::fs::write(dir.path().join("vocabulary.json"), r#"["a", "<|endoftext|>"]"#).unwrap();
    assert!(refused(dir.path()).to_string().contains("<|startoftranscript|>"));
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
    let error = refused(dir.path());
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
