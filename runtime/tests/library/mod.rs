//! A library with thread-locals, that is built by a test, and loaded.
#![allow(dead_code, reason = "each test needs a part")]

use std::env;
use std::ffi::{CStr, CString, c_int, c_void};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

const SOURCE: &str = "
__thread int count = 5;
int next(void) { return count++; }
#ifdef FILL
__thread unsigned char filler[FILL];
int fill(int with) {
    for (int at = 0; at < FILL; at++) filler[at] = with;
    return 0;
}
int is_filled(int with) {
    for (int at = 0; at < FILL; at++) if (filler[at] != with) return 0;
    return 1;
}
#endif
";

/// Builds the library with the C compiler that Rust links with, and loads it.
pub(crate) fn load(name: &str, options: &[&str]) -> *mut c_void {
    try_to_load(name, options).expect("it can be loaded")
}

/// The same; if it cannot be loaded, why.
pub(crate) fn try_to_load(name: &str, options: &[&str]) -> Result<*mut c_void, String> {
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
    // SAFETY: loads what was just built.
    let library = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW) };
    if library.is_null() {
        // SAFETY: the calling thread's last error, which there is.
        return Err(unsafe { CStr::from_ptr(libc::dlerror()) }.to_string_lossy().into_owned());
    }
    Ok(library)
}

/// A function of the library that fills its thread-local with a byte, or says whether it is.
pub(crate) type Fill = extern "C" fn(c_int) -> c_int;

pub(crate) fn of_a_byte(library: *mut c_void, name: &CStr) -> Fill {
    // SAFETY: the symbol is a function of this type.
    unsafe { std::mem::transmute(libc::dlsym(library, name.as_ptr())) }
}

/// Runs `f` while there are so many threads that no more of them have a block with room for any library.
pub(crate) fn with_many_threads(f: impl FnOnce()) {
    const N_THREADS: usize = 1_000;
    let n_running = Arc::new(AtomicUsize::new(0));
    let is_over = Arc::new(AtomicBool::new(false));
    let threads: Vec<_> = (0..N_THREADS)
        .map(|_| {
            let (n_running, is_over) = (Arc::clone(&n_running), Arc::clone(&is_over));
            sylvan::spawn(move || {
                n_running.fetch_add(1, Ordering::Relaxed);
                while !is_over.load(Ordering::Relaxed) {
                    sylvan::thread::park();
                }
            })
        })
        .collect();
    while n_running.load(Ordering::Relaxed) < N_THREADS {
        sylvan::yield_now();
    }
    f();
    is_over.store(true, Ordering::Relaxed);
    for thread in threads {
        thread.thread().unpark();
        thread.join().expect("no panic");
    }
}
