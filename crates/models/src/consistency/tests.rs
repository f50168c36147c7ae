#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::{Checksums, ModelError, ModelFiles};

fn demo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/demo/model")
}

/// A copy of the demo model without its checksums, in which one file is another.
fn changed(file: &str, content: &[u8]) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for name in ["config.json", "vocabulary.json", "model.bin"] {
        std::fs::copy(demo().join(name), copy.path().join(name)).unwrap();
    }
    std::fs::write(copy.path().join(file), content).unwrap();
    copy
}

fn reason(model: &TempDir) -> String {
    match ModelFiles::open(model.path(), Checksums::Skip) {
        Err(ModelError::Inconsistent { reason, .. }) => reason,
        Err(error) => panic!("{error}"),
        Ok(_) => "none".to_owned(),
    }
}

/// The weights in which `new` replaces what follows the name of a variable.
fn weights(variable: &str, new: &[u8]) -> Vec<u8> {
    let mut bytes = std::fs::read(demo().join("model.bin")).unwrap();
    let name = format!("{variable}\0");
    let after = bytes.windows(name.len()).position(|window| window == name.as_bytes()).unwrap() + name.len();
    bytes[after..after + new.len()].copy_from_slice(new);
    bytes
}

#[test]
fn the_weights_fit_together() {
    assert_eq!(reason(&changed("model.bin", &std::fs::read(demo().join("model.bin")).unwrap())), "none");
    // Rank, type (16-bit), length in bytes, value.
    let scalar = |value: i16| [&[0, 2, 2, 0, 0, 0][..], &value.to_le_bytes()].concat();
    let flag = |value: u8| vec![0, 1, 1, 0, 0, 0, value];
    let shape = |lengths: &[u32]| {
        let lengths: Vec<u8> = lengths.iter().flat_map(|length| length.to_le_bytes()).collect();
        [&[u8::try_from(lengths.len() / 4).unwrap()][..], &lengths].concat()
    };
    for (variable, new, expected) in [
        ("encoder/num_heads", scalar(0), "attention heads"),
        ("encoder/num_heads", scalar(-4), "attention heads"),
        ("decoder/num_heads", scalar(3), "attention heads"),
        ("decoder/num_heads", scalar(0x4000), "attention heads"),
        ("decoder/alignment_heads", scalar(5), "decoder/alignment_heads is 5"),
        ("decoder/alignment_layer", scalar(99), "decoder/alignment_layer is 99"),
        ("decoder/alibi", flag(1), "decoder/alibi is 1"),
        ("decoder/activation", flag(99), "decoder/activation is 99"),
        ("decoder/layer_0/attention/linear_1/weight", shape(&[128, 256]), "decoder/layer_0/attention/linear_1/weight"),
        ("encoder/layer_1/ffn/linear_1/weight", shape(&[512, 128]), "encoder/layer_1/ffn/linear_1/weight"),
        ("decoder/position_encodings/encodings", shape(&[128, 448]), "decoder/position_encodings"),
        ("encoder/position_encodings/encodings", shape(&[750, 256]), "encoder/position_encodings"),
        ("encoder/conv1/weight", shape(&[128, 3, 80]), "encoder/conv1/weight"),
    ] {
        let reason = reason(&changed("model.bin", &weights(variable, &new)));
        assert!(reason.contains(expected), "{variable}: {reason}");
    }
    // A name of the same length: a layer is missing, and one of another number is there.
    let bytes = std::fs::read(demo().join("model.bin")).unwrap();
    for (name, other) in [("decoder/layer_1/", "decoder/layer_9/"), ("decoder/embeddings", "decoder/embeddingz")] {
        let mut bytes = bytes.clone();
        while let Some(at) = bytes.windows(name.len()).position(|window| window == name.as_bytes()) {
            bytes[at..at + name.len()].copy_from_slice(other.as_bytes());
        }
        assert!(ModelFiles::open(changed("model.bin", &bytes).path(), Checksums::Skip).is_err(), "{name}");
    }
}

#[test]
fn the_configuration_names_only_what_the_model_has() {
    for (config, expected) in [
        (r#"{"lang_ids": [2156]}"#, "none"),
        (r#"{"lang_ids": [2157]}"#, "the token 2157 in lang_ids"),
        (r#"{"lang_ids": [4000000000]}"#, "lang_ids"),
        (r#"{"suppress_ids": [1, 99999]}"#, "suppress_ids"),
        (r#"{"suppress_ids_begin": [99999]}"#, "suppress_ids_begin"),
        (r#"{"alignment_heads": [[1, 3]]}"#, "none"),
        (r#"{"alignment_heads": [[1, 4]]}"#, "alignment head"),
        (r#"{"alignment_heads": [[2, 0]]}"#, "alignment head"),
        (r#"{"quantization_type": 1}"#, "quantization_type"),
    ] {
        let reason = reason(&changed("config.json", config.as_bytes()));
        assert!(reason.contains(expected), "{config}: {reason}");
    }
    let negative = ModelFiles::open(changed("config.json", br#"{"lang_ids": [-1]}"#).path(), Checksums::Skip);
    assert!(matches!(negative, Err(ModelError::BrokenFile { .. })));
}
