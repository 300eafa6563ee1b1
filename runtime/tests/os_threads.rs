//! Whoever has the name `pthread_create` hears which threads the runtime starts.

#![cfg(target_os = "linux")]

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{mem, thread};

type Create = unsafe extern "C" fn(*mut c_void, *const c_void, *const c_void, *mut c_void) -> c_int;

static OF_THE_RUNTIME: AtomicUsize = AtomicUsize::new(0);
static OF_THE_PROGRAM: AtomicUsize = AtomicUsize::new(0);

/// As libc's, and counts.
// SAFETY: has the type of libc's function, and does what it does.
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_create(
    thread: *mut c_void,
    attributes: *const c_void,
    main: *const c_void,
    argument: *mut c_void,
) -> c_int {
    let is_the_runtimes = sylvan::contract::thread::is_starting_os_thread();
    let count = if is_the_runtimes { &OF_THE_RUNTIME } else { &OF_THE_PROGRAM };
    count.fetch_add(1, Ordering::Relaxed);
    // SAFETY: libc's function of that name, which has this type, called as this one was.
    unsafe {
        let next = libc::dlsym(libc::RTLD_NEXT, c"pthread_create".as_ptr());
        mem::transmute::<*mut c_void, Create>(next)(thread, attributes, main, argument)
    }
}

#[test]
fn the_runtime_says_which_os_threads_are_its_own() {
    let of_the_program = || OF_THE_PROGRAM.load(Ordering::Relaxed);
    let of_the_harness = of_the_program();
    sylvan::Config::new().workers(2).start().unwrap();
    // Two workers and a monitor at least.
    let at_start = OF_THE_RUNTIME.load(Ordering::Relaxed);
    assert!(at_start >= 3, "{at_start}");
    // What blocks may take another one.
    sylvan::spawn(|| sylvan::blocking(|| std::fs::metadata("/").unwrap())).join().unwrap();
    assert_eq!(of_the_program(), of_the_harness);

    // The program's own, from an OS thread and from a green one.
    thread::spawn(|| ()).join().unwrap();
    sylvan::spawn(|| thread::spawn(|| ()).join().unwrap()).join().unwrap();
    assert_eq!(of_the_program(), of_the_harness + 2);
}
