//! Threads of Unix.
//!
//! This corresponds to [`std::os::unix::thread`] and is the same; [`JoinHandleExt`] is implemented
//! for the mirror's [`JoinHandle`], so that a program that names it compiles.
//!
//! **Differences**: its methods panic. A `pthread_t` is for `pthread_join`, `pthread_kill` and the
//! like, and a green thread is not the system's: there is none that they could be called with and
//! mean this thread. That of the OS thread it runs on would mean others.

#[doc(no_inline)]
pub use ::std::os::unix::thread::*;

use crate::thread::JoinHandle;

impl<T> JoinHandleExt for JoinHandle<T> {
    /// Panics: a green thread has no `pthread_t`.
    fn as_pthread_t(&self) -> RawPthread {
        no_pthread()
    }

    /// Panics: a green thread has no `pthread_t`.
    fn into_pthread_t(self) -> RawPthread {
        no_pthread()
    }
}

fn no_pthread() -> ! {
    panic!("a green thread has no `pthread_t`: it is not a thread of the operating system")
}
