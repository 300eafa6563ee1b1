//! Libraries with thread-locals in the static block, which are loaded while there are many green threads.
#![cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"))]
#![allow(clippy::disallowed_methods, reason = "the test blocks an OS thread on purpose")]

mod library;

use sylvan::TlsMode;

use library::{try_to_load, with_many_threads};

/// There is less room on x86-64 where there are many threads, and `ld.so` knows.
#[test]
fn a_library_that_needs_more_than_a_green_thread_has_fails_to_load() {
    if sylvan::tls_mode().unwrap() == TlsMode::Shared {
        println!("skipped: thread-locals are the worker's in this mode");
        return;
    }
    with_many_threads(|| {
        let why = try_to_load("large", &["-ftls-model=initial-exec", "-DFILL=1000"]).unwrap_err();
        assert!(why.contains("static TLS block"), "{why}");
    });
    // OS threads that are made with the smaller block have theirs whole.
    thread_local!(static TEXT: std::cell::RefCell<String> = const { std::cell::RefCell::new(String::new()) });
    let says = || {
        TEXT.with_borrow_mut(|text| text.push_str("here"));
        TEXT.take()
    };
    assert_eq!(std::thread::spawn(says).join().unwrap(), "here");
    assert_eq!(sylvan::spawn(says).join().unwrap(), "here");
}
