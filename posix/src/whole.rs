//! Whether the program is whole: all that reaches libc is green, not what std's mirror does alone.

use std::sync::atomic::{AtomicBool, Ordering};

static WHOLE: AtomicBool = AtomicBool::new(false);

/// Says that the program is whole. Whoever gives the functions of [`green!`](crate::green) their names calls
/// it before the program begins.
pub fn make_whole() {
    // Nobody else runs yet, here and below.
    WHOLE.store(true, Ordering::Relaxed);
}

/// Whether [`make_whole`] was called.
#[inline]
#[must_use]
pub fn is_whole() -> bool {
    WHOLE.load(Ordering::Relaxed)
}
