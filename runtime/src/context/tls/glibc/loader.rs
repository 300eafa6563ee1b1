//! What `ld.so` knows of the static block, to be told that it is full.
//!
//! A library that is loaded later has its thread-locals outside the static block, unless it was built
//! to have them in it. But `ld.so` keeps some of the block (512 bytes) to make thread-locals faster
//! that are reached by TLS descriptors, as is usual on aarch64: a small library that is loaded
//! later gets a part of each thread's block, which `ld.so` initializes in the threads that it
//! knows. It does not know the green ones. So that rest is taken away, as the tunable
//! `glibc.rtld.optional_static_tls=0` does.
//!
//! glibc describes for debuggers where its list of modules hangs; the words around it are, since
//! glibc 2.34, those of [`Loader`]. What is known from elsewhere must be found in them; else they stay
//! as they are.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Words of `ld.so`, from the number of its last module on.
#[repr(C)]
struct Loader {
    last_module: AtomicUsize,
    modules: AtomicUsize,
    n_static_modules: AtomicUsize,
    static_used: AtomicUsize,
    /// What is left for libraries that could do without.
    static_optional: AtomicUsize,
    initial_dtv: AtomicUsize,
    generation: AtomicUsize,
}

/// What has to be found in a [`Loader`].
pub(super) struct Expected {
    /// The size of the static block, and how much of it is in use, to the last of the modules.
    pub(super) static_size: usize,
    pub(super) static_used: usize,
    /// The generation of modules that a new thread has.
    pub(super) generation: usize,
}

/// Sees to it that what is loaded from now on has no place in the static block that it was not built
/// for, if this is how `ld.so` is laid out.
///
/// # Safety
///
/// `modules` is the word of `ld.so` that points to its list of modules.
pub(super) unsafe fn withhold_static_block(modules: *const usize, expected: &Expected) {
    // SAFETY: the words are in the middle of a larger structure, which stays; `ld.so` writes to them a
    // word at a time.
    let loader = unsafe { &*modules.sub(1).cast::<Loader>() };
    // Relaxed, here and below: each is a number that publishes nothing.
    let read = |word: &AtomicUsize| word.load(Ordering::Relaxed);
    let n_static = read(&loader.n_static_modules);
    let used = read(&loader.static_used);
    let generation = read(&loader.generation);
    let is_known = (1..=read(&loader.last_module)).contains(&n_static)
        && used == expected.static_used
        // Modules that have gone count for the generation, and leave no trace in new threads.
        && (expected.generation..expected.generation + 1_000).contains(&generation)
        && read(&loader.static_optional) <= expected.static_size - used;
    if is_known {
        loader.static_optional.store(0, Ordering::Relaxed);
    }
}
