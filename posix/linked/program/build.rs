//! Builds the C library that the program is linked with, as a shared one.

use std::env;
use std::path::PathBuf;

fn main() {
    println!("cargo::rerun-if-changed=c/waits.c");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo says where"));
    let library = out.join("libwaits.so");
    let built = cc::Build::new()
        .get_compiler()
        .to_command()
        .args(["-shared", "-fPIC", "-O1", "-pthread", "c/waits.c", "-o"])
        .arg(&library)
        .status();
    assert!(built.is_ok_and(|status| status.success()), "the library does not build");
    println!("cargo::rustc-link-search=native={}", out.display());
    println!("cargo::rustc-link-lib=dylib=waits");
    println!("cargo::rustc-link-arg-bins=-Wl,-rpath,{}", out.display());
}
