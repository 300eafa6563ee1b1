//! Thread-locals of a library that is loaded when green threads run already.
#![cfg(all(target_os = "linux", target_env = "gnu"))]
#![allow(clippy::disallowed_methods, reason = "the tests block OS threads on purpose")]

mod library;

use std::ffi::{c_int, c_void};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use sylvan::{TlsMode, WaitReason, wait, wake};

use library::{Fill, load, of_a_byte};

/// The library's function that counts.
fn next_of(library: *mut c_void) -> extern "C" fn() -> c_int {
    // SAFETY: the symbol is a function of this type.
    unsafe { std::mem::transmute(libc::dlsym(library, c"next".as_ptr())) }
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
    next.set(next_of(load(name, options))).unwrap();
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

/// The block of a green thread has less room for such libraries than an OS thread's. There is what glibc
/// reckons for them, and no frame lies there.
#[test]
fn a_library_that_was_built_for_the_static_block_has_a_place_there() {
    if sylvan::tls_mode().unwrap() == TlsMode::Shared {
        println!("skipped: thread-locals are the worker's in this mode");
        return;
    }
    const THREADS: u32 = 100;
    // One when the library is loaded, and one more for each thread that has filled its own.
    let stage = Arc::new(AtomicU32::new(0));
    let step = |stage: &AtomicU32| {
        stage.fetch_add(1, Ordering::Release);
        wake(stage, usize::MAX);
    };
    let wait_for = |stage: &AtomicU32, wanted: u32| {
        while let now = stage.load(Ordering::Acquire)
            && now < wanted
        {
            wait(stage, now, None, WaitReason::Futex);
        }
    };
    let functions = Arc::new(std::sync::OnceLock::new());
    // All of them run until the last one has filled its own: no block is used twice.
    let spawn = |byte: u32| {
        let (stage, functions) = (Arc::clone(&stage), Arc::clone(&functions));
        sylvan::spawn(move || {
            wait_for(&stage, 1);
            let &(fill, is_filled): &(Fill, Fill) = functions.get().unwrap();
            assert_eq!(is_filled(0), 1);
            fill(byte.cast_signed());
            step(&stage);
            wait_for(&stage, 1 + THREADS);
            // Frames below: those of a formatted text.
            let text = format!("{byte:>10} {:?}", Some(byte));
            assert_eq!(is_filled(byte.cast_signed()), 1);
            text
        })
    };
    let mut threads: Vec<_> = (1..=THREADS / 2).map(spawn).collect();
    sylvan::yield_now();
    let library = load("static", &["-ftls-model=initial-exec", "-DFILL=136"]);
    functions.set((of_a_byte(library, c"fill"), of_a_byte(library, c"is_filled"))).unwrap();
    threads.extend((THREADS / 2 + 1..=THREADS).map(spawn));
    step(&stage);
    for (thread, byte) in threads.into_iter().zip(1..) {
        assert_eq!(thread.join().unwrap(), format!("{byte:>10} Some({byte})"));
    }
}

#[test]
fn the_thread_that_loads_a_library_has_its_thread_locals() {
    if sylvan::tls_mode().unwrap() == TlsMode::Shared {
        println!("skipped: thread-locals are the worker's in this mode");
        return;
    }
    let thread = sylvan::spawn(|| {
        let next = next_of(load("own", &[]));
        (next(), next())
    });
    assert_eq!(thread.join().unwrap(), (5, 6));
}
