//! Panics: std's own, with a default report that knows the names of green threads.
//!
//! This corresponds to [`std::panic`](mod@std::panic); only [`take_hook`] is another one.

#[doc(no_inline)]
pub use ::std::panic::*;

use crate::bridge::install_panic_hook;

/// Takes the hook that is in force, and puts the default one in its place.
///
/// This corresponds to [`std::panic::take_hook`].
///
/// **Differences**: the default hook writes what std's does, with the name of the green thread that panics,
/// which std does not know.
///
/// # Panics
///
/// On a thread that is panicking.
///
/// ```
/// use std_shim::{panic, thread};
///
/// panic::set_hook(Box::new(|_| ()));
/// thread::spawn(|| panic!("nobody is told")).join().unwrap_err();
/// let _quiet = panic::take_hook();
/// ```
#[must_use]
pub fn take_hook() -> Box<dyn Fn(&PanicHookInfo<'_>) + Sync + Send + 'static> {
    let hook = ::std::panic::take_hook();
    install_panic_hook();
    hook
}
