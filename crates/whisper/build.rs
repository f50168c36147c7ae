//! Compiles the C++ that binds CTranslate2: `native/*` say why it is needed.

use std::path::PathBuf;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=native");
    println!("cargo:rerun-if-env-changed=CTRANSLATE2_LIB");
    if let (Ok(_), Ok(dir)) = (std::env::var("CARGO_FEATURE_SHARED"), std::env::var("CTRANSLATE2_LIB")) {
        // Another library has another name: what was linked with the one before must be linked again.
        println!("cargo:rerun-if-changed={dir}/libctranslate2.so");
    }
    cxx_build::bridge("src/engine/bridge.rs")
        .file("native/engine.cpp")
        .std("c++17")
        // No warnings about headers that are not ours.
        .flag_if_supported(format!("-isystem{}", ctranslate2_headers().display()))
        .compile("ytcaption_engine");
    if std::env::var_os("CARGO_FEATURE_MKL").is_some() {
        cc::Build::new()
            .file("native/use_mkl.c")
            // Nothing refers to the constructor by name: without this the linker would leave it out.
            .link_lib_modifier("+whole-archive")
            .compile("ytcaption_use_mkl");
    }
}

/// ct2rs carries the headers of the very CTranslate2 that it links, but not their path: Cargo knows it.
fn ctranslate2_headers() -> PathBuf {
    let var = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("Cargo sets {name} for build scripts"));
    let metadata = Command::new(var("CARGO"))
        .args(["metadata", "--format-version=1", "--filter-platform", &var("TARGET"), "--manifest-path"])
        .arg(PathBuf::from(var("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
        .output()
        .expect("Cargo, which runs this, can be run");
    assert!(metadata.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&metadata.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).expect("cargo metadata prints JSON");
    let packages = metadata["packages"].as_array().expect("cargo metadata lists packages");
    let ct2rs = packages.iter().find(|package| package["name"] == "ct2rs").expect("ct2rs is a dependency");
    let manifest = ct2rs["manifest_path"].as_str().expect("a package has a manifest");
    PathBuf::from(manifest).with_file_name("CTranslate2").join("include")
}
