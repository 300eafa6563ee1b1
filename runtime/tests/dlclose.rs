//! A library with thread-locals of the program's own kind that is loaded before the runtime starts and
//! closed when it runs.
#![cfg(all(target_os = "linux", target_env = "gnu"))]
#![allow(unsafe_code, reason = "loads a library")]

use std::env;
use std::ffi::{CString, c_int};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

const SOURCE: &str = "
__thread int count = 5;
int next(void) { return count++; }
";

thread_local! {
    static COUNT: std::cell::Cell<i32> = const { std::cell::Cell::new(5) };
}

#[test]
fn threads_start_when_it_is_closed() {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let (source, library) = (dir.join("closing.c"), dir.join("libclosing.so"));
    fs::write(&source, SOURCE).unwrap();
    let compiler = env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let built = Command::new(compiler)
        .args(["-shared", "-fPIC", "-ftls-model=initial-exec", "-o"])
        .args([&library, &source])
        .status()
        .expect("a C compiler, which Rust needs to link");
    assert!(built.success());
    let path = CString::new(library.to_str().unwrap()).unwrap();
    // SAFETY: loads what was just built, and finds a function of this type there.
    let (loaded, next) = unsafe {
        let loaded = libc::dlopen(path.as_ptr(), libc::RTLD_NOW);
        assert!(!loaded.is_null());
        let next: extern "C" fn() -> c_int =
            std::mem::transmute(libc::dlsym(loaded, c"next".as_ptr()));
        (loaded, next)
    };
    let are_own = || sylvan::tls_mode().unwrap() == sylvan::TlsMode::Own;
    for _ in 0..20 {
        let count = sylvan::spawn(move || next()).join().unwrap();
        assert!(count == 5 || !are_own());
    }
    // SAFETY: nobody calls it from here on.
    assert_eq!(unsafe { libc::dlclose(loaded) }, 0);
    // One after the other, so that each has the block of an earlier one.
    for _ in 0..100 {
        let count = sylvan::spawn(|| COUNT.replace(6)).join().unwrap();
        assert!(count == 5 || !are_own());
    }
}
