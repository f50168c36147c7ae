//! Compiles the little that Rust cannot do: `native/*` say why.

fn main() {
    println!("cargo:rerun-if-changed=native");
    cc::Build::new().cpp(true).std("c++17").file("native/encoded.cpp").compile("ytcaption_encoded");
    cc::Build::new().file("native/memory.c").compile("ytcaption_memory");
    if std::env::var_os("CARGO_FEATURE_MKL").is_some() {
        cc::Build::new()
            .file("native/use_mkl.c")
            // Nothing refers to the constructor by name: without this the linker would leave it out.
            .link_lib_modifier("+whole-archive")
            .compile("ytcaption_use_mkl");
    }
}
