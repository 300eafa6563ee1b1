//! What an OS thread does in the runtime that a signal's handler must not do in its midst.
//!
//! A handler may call `sem_post`, and a system call for a futex, which wake green threads. The kernel runs it wherever
//! it finds the OS thread: maybe in the midst of a wait, or a wake-up, of its own, under a lock that the handler's
//! wake-up needs. So an OS thread says that it is in such a section, and the wake-ups of a handler that finds it in
//! one are left to the section's end.
//!
//! ```text
//!   the OS thread                     a handler on it
//!   depth 0 -> 1                      depth is 0: does it, in a section of its own
//!   ... locks, queues ...             else: leaves it
//!   depth 1 -> 0
//!   does what was left
//! ```
//!
//! All of it is one thread's, so hardly anything needs to be atomic. A handler comes before the second step of the
//! depth, and then what it leaves is seen after that; or it comes later, and then it finds no section. It has done all
//! of its own by the time the OS thread goes on. Only who counts what is left may be interrupted by another handler
//! that counts as well, so that is one step.
//!
//! A handler may also end by a jump out of it (`siglongjmp`). Then the sections that it has interrupted are over:
//! [`back_to`].
//!
//! Green threads have none of this. In a whole program their handlers run where they call them; workers have all
//! signals blocked.

use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering, compiler_fence};

/// How many wake-ups are remembered: the memory is each thread's, green or not.
const MOST: usize = 2;

/// A wake-up: of so many, at a word of which the address alone is used.
type WakeUp = (*const AtomicU32, usize);

/// What was left by handlers.
#[derive(Debug)]
pub(crate) enum Left {
    WakeUp(*const AtomicU32, usize),
    /// More than are remembered.
    More,
}

struct Remembered {
    n: AtomicUsize,
    first: [Cell<WakeUp>; MOST],
    act: Cell<Option<fn(Left)>>,
}

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    static LEFT: Remembered = const {
        Remembered {
            n: AtomicUsize::new(0),
            first: [const { Cell::new((ptr::null(), 0)) }; MOST],
            act: Cell::new(None),
        }
    };
}

/// Runs `f`, which takes locks of the runtime's, on an OS thread that is no worker's.
#[inline]
pub(crate) fn section<T>(f: impl FnOnce() -> T) -> T {
    let result = within(f);
    if DEPTH.get() == 0 {
        LEFT.with(Remembered::act);
    }
    result
}

/// The same, but that what is left is left.
#[inline]
fn within<T>(f: impl FnOnce() -> T) -> T {
    DEPTH.set(DEPTH.get() + 1);
    compiler_fence(Ordering::SeqCst);
    let result = f();
    compiler_fence(Ordering::SeqCst);
    DEPTH.set(DEPTH.get() - 1);
    compiler_fence(Ordering::SeqCst);
    result
}

/// For what a handler may do: leaves a wake-up to the end of the section that the calling OS thread is in, where `act`
/// does it, in that section; `false` if it is in none.
#[inline]
pub(crate) fn leave(word: *const AtomicU32, n: usize, act: fn(Left)) -> bool {
    let is_within = DEPTH.get() != 0;
    if is_within {
        LEFT.with(|left| {
            left.act.set(Some(act));
            // Orders nothing: it is the same thread.
            if let Some(place) = left.first.get(left.n.fetch_add(1, Ordering::Relaxed)) {
                place.set((word, n));
            }
        });
    }
    is_within
}

/// In how many sections the calling OS thread is.
pub(crate) fn depth() -> u32 {
    DEPTH.get()
}

/// It has jumped out of all sections but so many.
pub(crate) fn back_to(depth: u32) {
    DEPTH.set(depth.min(DEPTH.get()));
    compiler_fence(Ordering::SeqCst);
    if DEPTH.get() == 0 {
        LEFT.with(Remembered::act);
    }
}

impl Remembered {
    #[inline]
    fn act(&self) {
        if self.n.load(Ordering::Relaxed) != 0 {
            self.act_on_all();
        }
    }

    #[cold]
    fn act_on_all(&self) {
        let Some(act) = self.act.get() else { return };
        loop {
            // The depth is 0, so no handler leaves anything until the first of these is done.
            let n = self.n.swap(0, Ordering::Relaxed);
            if n == 0 {
                return;
            }
            let first: [WakeUp; MOST] = std::array::from_fn(|at| self.first[at].get());
            within(|| {
                for (word, n) in first.into_iter().take(n) {
                    act(Left::WakeUp(word, n));
                }
                if n > MOST {
                    act(Left::More);
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    thread_local! {
        static DONE: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    }

    fn note(left: Left) {
        let done = match left {
            Left::WakeUp(word, n) => format!("{n} at {}", word.addr()),
            Left::More => "more".to_owned(),
        };
        DONE.with_borrow_mut(|all| all.push(done));
    }

    fn word(at: usize) -> *const AtomicU32 {
        ptr::without_provenance(at)
    }

    #[test]
    fn what_a_handler_leaves_is_done_at_the_end_of_the_outermost_section() {
        assert!(!leave(word(4), 1, note), "there is no section");
        section(|| {
            section(|| assert!(leave(word(8), 1, note)));
            assert!(leave(word(12), 3, note));
            assert_eq!(DONE.take(), [""; 0]);
        });
        assert_eq!(DONE.take(), ["1 at 8", "3 at 12"]);
        section(|| ());
        assert_eq!(DONE.take(), [""; 0]);
    }

    #[test]
    fn where_more_is_left_than_is_remembered_that_is_said() {
        section(|| (0..=MOST).for_each(|at| assert!(leave(word(4 * at), 1, note))));
        let done = DONE.take();
        assert_eq!((done.len(), &*done[MOST]), (MOST + 1, "more"));
    }

    #[test]
    fn what_is_left_while_others_are_done_is_done_after_them() {
        fn note_and_leave(left: Left) {
            if matches!(left, Left::WakeUp(_, 1)) {
                assert!(leave(word(16), 2, note_and_leave));
            }
            note(left);
        }
        section(|| assert!(leave(word(8), 1, note_and_leave)));
        assert_eq!(DONE.take(), ["1 at 8", "2 at 16"]);
    }

    #[test]
    fn a_jump_out_of_sections_ends_them() {
        within(|| {
            assert!(leave(word(8), 1, note));
            assert_eq!(depth(), 1);
            back_to(0);
            assert_eq!(DONE.take(), ["1 at 8"]);
            // As the section's end would have.
            DEPTH.set(1);
        });
        assert_eq!(depth(), 0);
    }
}
