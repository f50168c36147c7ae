//! With the `mkl` feature, links the few lines of C that switch MKL on (`native/use_mkl.c` says why).

fn main() {
    println!("cargo:rerun-if-changed=native/use_mkl.c");
    if std::env::var_os("CARGO_FEATURE_MKL").is_some() {
        cc::Build::new()
            .file("native/use_mkl.c")
            // Nothing refers to the constructor by name: without this the linker would leave it out.
            .link_lib_modifier("+whole-archive")
            .compile("ytcaption_use_mkl");
    }
}
