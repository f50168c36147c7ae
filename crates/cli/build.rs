//! Writes into the program where the shared libraries are that it was linked with.

fn main() {
    println!("cargo:rerun-if-env-changed=CTRANSLATE2_LIB");
    if std::env::var_os("CARGO_FEATURE_SHARED").is_none() {
        return;
    }
    // An installed program has them beside it, or in `lib` next to its directory.
    let mut directories = String::from("$ORIGIN:$ORIGIN/../lib");
    if let Ok(built_with) = std::env::var("CTRANSLATE2_LIB") {
        directories = format!("{directories}:{built_with}");
    }
    println!("cargo:rustc-link-arg=-Wl,-rpath,{directories}");
}
