//! Threads of Unix.
//!
//! This corresponds to [`std::os::unix::thread`] and is the same; [`JoinHandleExt`] is implemented
//! for the mirror's [`JoinHandle`], so that a program that names it compiles.
//!
//! **Differences**: its methods panic. A `pthread_t` is for `pthread_join`, `pthread_kill` and the
//! like, and the system does not know a green thread: none would mean this thread. That of the OS
//! thread that it runs on would mean others, too.

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
