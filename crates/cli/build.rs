//! Tells the program where to look for the shared libraries it was linked with.

fn main() {
    println!("cargo:rerun-if-env-changed=CTRANSLATE2_LIB");
    if std::env::var_os("CARGO_FEATURE_SHARED").is_none() {
        return;
    }
    // An installed program has them beside it, or in `lib` next to its folder.
    let mut folders = String::from("$ORIGIN:$ORIGIN/../lib");
    if let Ok(built_with) = std::env::var("CTRANSLATE2_LIB") {
        folders = format!("{folders}:{built_with}");
    }
    println!("cargo:rustc-link-arg=-Wl,-rpath,{folders}");
}
