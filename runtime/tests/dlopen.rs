//! Thread-locals of a library that is loaded when green threads run already.
#![cfg(all(target_os = "linux", target_env = "gnu"))]
#![allow(clippy::disallowed_methods, reason = "the tests block OS threads on purpose")]

use std::env;
use std::ffi::{CString, c_int};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use sylvan::{TlsMode, WaitReason, wait, wake};

const SOURCE: &str = "__thread int count = 5; int next(void) { return count++; }";

/// Builds the library with the C compiler that Rust links with, and loads it.
fn load(name: &str, options: &[&str]) -> extern "C" fn() -> c_int {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let (source, library) = (dir.join(format!("{name}.c")), dir.join(format!("lib{name}.so")));
    fs::write(&source, SOURCE).unwrap();
    let compiler = env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let built = Command::new(compiler)
        .args(["-shared", "-fPIC"])
        .args(options)
        .arg("-o")
        .args([&library, &source])
        .status()
        .expect("a C compiler, which Rust needs to link");
    assert!(built.success());
    let path = CString::new(library.to_str().unwrap()).unwrap();
    // SAFETY: loads what was just built; the symbol is a function of this type.
    unsafe {
        let library = libc::dlopen(path.as_ptr(), libc::RTLD_NOW);
        assert!(!library.is_null());
        let next = libc::dlsym(library, c"next".as_ptr());
        std::mem::transmute::<*mut libc::c_void, extern "C" fn() -> c_int>(next)
    }
}

/// Loads the library, and says what it is to say.
fn thread_locals_are_found(name: &str, options: &[&str]) {
    if sylvan::tls_mode().unwrap() == TlsMode::Shared {
        println!("skipped: thread-locals are the worker's in this mode");
        return;
    }
    let loaded = Arc::new(AtomicU32::new(0));
    let next = Arc::new(std::sync::OnceLock::new());
    let running: Vec<_> = (0..10)
        .map(|_| {
            let (loaded, next) = (Arc::clone(&loaded), Arc::clone(&next));
            sylvan::spawn(move || {
                while loaded.load(Ordering::Acquire) == 0 {
                    wait(&loaded, 0, None, WaitReason::Futex);
                }
                let next: &extern "C" fn() -> c_int = next.get().unwrap();
                let first = next();
                sylvan::yield_now();
                (first, next())
            })
        })
        .collect();
    next.set(load(name, options)).unwrap();
    loaded.store(1, Ordering::Release);
    wake(&*loaded, usize::MAX);
    for thread in running {
        assert_eq!(thread.join().unwrap(), (5, 6));
    }
    // One after the other, so that each has the block of an earlier one.
    for _ in 0..100 {
        let next = Arc::clone(&next);
        let next = move || next.get().unwrap()();
        assert_eq!(sylvan::spawn(next).join().unwrap(), 5);
    }
}

#[test]
fn a_library_loaded_later_has_thread_locals_in_running_and_in_new_green_threads() {
    thread_locals_are_found("counting", &[]);
}

/// Of small libraries of this kind `ld.so` would have the thread-locals in the static block, where
/// green threads that run already would find zeros.
#[test]
fn a_library_that_finds_its_thread_locals_by_descriptors_has_them_too() {
    let descriptors = if cfg!(target_arch = "x86_64") { "gnu2" } else { "desc" };
    thread_locals_are_found("describing", &[&format!("-mtls-dialect={descriptors}")]);
}

#[test]
fn the_thread_that_loads_a_library_has_its_thread_locals() {
    if sylvan::tls_mode().unwrap() == TlsMode::Shared {
        println!("skipped: thread-locals are the worker's in this mode");
        return;
    }
    let thread = sylvan::spawn(|| {
        let next = load("own", &[]);
        (next(), next())
    });
    assert_eq!(thread.join().unwrap(), (5, 6));
}
