//! A green thread's own thread-locals: on Linux with glibc, where the thread pointer may be moved.
//!
//! Two modes, one for the whole process:
//!
//! - *own*: each green thread has a block of thread-locals, as an OS thread has. `thread_local!`,
//!   `errno`, the panic count and the thread-locals of every library are the green thread's, and
//!   their addresses stay right when it moves to another worker.
//! - *shared*: thread-locals are the worker's. A green thread that has started stays on its worker,
//!   so that no two OS threads ever touch one block.

#[cfg(all(
    target_os = "linux",
    target_env = "gnu",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod glibc;
#[cfg(all(
    target_os = "linux",
    target_env = "gnu",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
pub(crate) use glibc::Own;

#[cfg(not(all(
    target_os = "linux",
    target_env = "gnu",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
mod unsupported;
#[cfg(not(all(
    target_os = "linux",
    target_env = "gnu",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
pub(crate) use unsupported::Own;

use crate::primitive::{AtomicBool, AtomicPtr, Ordering};
use std::io;
use std::ptr;

/// What the own mode needs to know; null in the shared mode.
static OWN: AtomicPtr<Own> = AtomicPtr::new(ptr::null_mut());

/// The same once it is known, whatever the mode. Finding out leaves its marks on libc, so it is done
/// once, also where a start fails later on, or a child of a fork starts anew.
static DISCOVERED: AtomicPtr<Own> = AtomicPtr::new(ptr::null_mut());

/// Whose thread-locals a green thread sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsMode {
    /// Its own.
    Own,
    /// Those of the worker it runs on, which is always the same one.
    Shared,
}

/// Decides the mode, for `adopt`.
///
/// # Errors
///
/// `Unsupported` when the own mode is asked for and cannot be had, with the reason; when finding out
/// takes an OS thread that cannot be had, what the kernel says.
pub(crate) fn choose(wanted: Option<TlsMode>) -> io::Result<TlsMode> {
    if wanted == Some(TlsMode::Shared) {
        return Ok(TlsMode::Shared);
    }
    if !DISCOVERED.load(Ordering::Relaxed).is_null() {
        return Ok(TlsMode::Own);
    }
    match Own::discover() {
        Ok(own) => {
            // Starts come one after the other, which orders it. The value stays for the process's life.
            DISCOVERED.store(Box::into_raw(Box::new(own)), Ordering::Relaxed);
            Ok(TlsMode::Own)
        }
        Err(error) if error.kind() == io::ErrorKind::Unsupported && wanted.is_none() => {
            if cfg!(sylvan_in_place_of_std) {
                tell(&error);
            }
            Ok(TlsMode::Shared)
        }
        Err(error) => Err(error),
    }
}

/// Says, once, what a program has to expect that was built by `cargo sylvan`: its dependencies know nothing of
/// green threads. Who asks for the mode knows.
#[cold]
fn tell(why: &io::Error) {
    static TOLD: AtomicBool = AtomicBool::new(false);
    // Orders nothing: starts come one after the other.
    if !TOLD.swap(true, Ordering::Relaxed) {
        crate::report::say(format_args!(
            "sylvan: {why}; they share those of their worker. Crates that keep there who they are \
             (tokio, rayon, tracing) panic, and what waits by other means than std's may hang: see \
             docs/crates.md. SYLVAN_TLS=shared leaves this unsaid.\n"
        ));
    }
}

/// Puts the mode in force that `choose` has found, before the first context is made.
pub(crate) fn adopt(mode: TlsMode) {
    let own = match mode {
        TlsMode::Own => DISCOVERED.load(Ordering::Relaxed),
        TlsMode::Shared => ptr::null_mut(),
    };
    // Release pairs with the acquire in `own`.
    OWN.store(own, Ordering::Release);
}

/// An error that says why the own mode cannot be had.
fn unsupported(why: &str) -> io::Error {
    let text = format!("green threads cannot have thread-locals of their own here: {why}");
    io::Error::new(io::ErrorKind::Unsupported, text)
}

/// What the own mode needs; `None` in the shared mode.
#[inline]
pub(crate) fn own() -> Option<&'static Own> {
    // Acquire pairs with the release in `adopt`.
    let own = OWN.load(Ordering::Acquire);
    // SAFETY: null, or what `choose` leaked.
    unsafe { own.as_ref() }
}

/// Bytes that a thread's own thread-locals take at the top of its stack, at most.
pub(crate) fn block_len() -> usize {
    own().map_or(0, Own::block_len)
}

/// The calling OS thread ends: it is at no green thread's block any more.
pub(crate) fn leave() {
    if own().is_some() {
        Own::leave();
    }
}

/// Has what `n` more stacks need for their thread-locals. By who spawns: it calls the program's
/// allocator.
pub(crate) fn provide(n: usize) -> io::Result<()> {
    own().map_or(Ok(()), |own| own.provide(n))
}

/// In a child of a fork: what was provided is forgotten.
///
/// # Safety
///
/// The process has one thread, which is in none of the functions of this module.
pub(crate) unsafe fn forget() {
    if let Some(own) = own() {
        // SAFETY: as the caller promises.
        unsafe { own.forget() };
    }
}

/// Called on a green thread's stack before a fork, and after it in the child.
pub(crate) fn before_fork() {
    if let Some(own) = own() {
        own.before_fork();
    }
}

/// See `before_fork`.
pub(crate) fn after_fork() {
    if let Some(own) = own() {
        own.after_fork();
    }
}

/// Called on a green thread's stack, last thing: the destructors of its thread-locals.
pub(crate) fn finish() {
    if let Some(own) = own() {
        own.finish();
    }
}
