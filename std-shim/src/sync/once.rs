//! `Once`: one word that says how far an initialization has got.
//!
//! ```text
//!                  claim                 the closure returns
//!   INCOMPLETE ------------> RUNNING -------------------------> COMPLETE
//!                           ^       |
//!         claim, by `force` |       | the closure panics
//!                           POISONED
//! ```
//!
//! A thread that has to wait sets the bit `AWAITED` and parks on the word as it then stands. The
//! one that runs the closure swaps the final state in, which clears the bit, and wakes all if it
//! was set. A claim keeps the bit: threads in `wait` set it before there is anybody running.
//!
//! # Memory ordering
//!
//! The swap of the final state releases; every load that may see it acquires, so what the closure
//! did is visible to all who find the `Once` complete. The same pair orders the attempts after a
//! panic. Setting `AWAITED` orders nothing.

use std::fmt;
use std::marker::PhantomData;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use crate::bridge::{self, WaitReason};

/// The closure has not run. The four states are also the tags of `once_slot::State`.
pub(super) const INCOMPLETE: u32 = 0;
/// The closure is running.
pub(super) const RUNNING: u32 = 1;
/// The closure has run and panicked.
pub(super) const POISONED: u32 = 2;
/// The closure has run and returned.
pub(super) const COMPLETE: u32 = 3;

/// Threads may be parked on the word; never set together with `COMPLETE`.
const AWAITED: u32 = 4;

/// Runs something once, whoever asks for it first.
///
/// This corresponds to [`std::sync::Once`].
///
/// # Examples
///
/// ```
/// use std_shim::sync::Once;
///
/// static START: Once = Once::new();
///
/// let mut runs = 0;
/// START.call_once(|| runs += 1);
/// START.call_once(|| runs += 1);
/// assert_eq!(runs, 1);
/// ```
#[repr(transparent)]
pub struct Once {
    state: AtomicU32,
}

impl UnwindSafe for Once {}
impl RefUnwindSafe for Once {}

/// Tells the closure of [`Once::call_once_force`] what happened before.
///
/// This corresponds to [`std::sync::OnceState`].
pub struct OnceState {
    poisoned: bool,
    not_sync: PhantomData<std::cell::Cell<u32>>,
}

/// A `Once` on which nothing has run yet.
///
/// This corresponds to [`std::sync::ONCE_INIT`].
#[deprecated(since = "1.38.0", note = "the `Once::new()` function is now preferred")]
#[expect(clippy::declare_interior_mutable_const, reason = "a value to copy from, as std's")]
pub const ONCE_INIT: Once = Once::new();

impl Once {
    /// Creates a `Once` on which nothing has run yet.
    ///
    /// This corresponds to [`std::sync::Once::new`].
    #[inline]
    #[must_use]
    #[expect(clippy::new_without_default, reason = "std's has no default")]
    pub const fn new() -> Once {
        Once { state: AtomicU32::new(INCOMPLETE) }
    }

    /// Runs `f` if nothing has run yet; if something is running, waits until it is done.
    ///
    /// On return the work of whichever closure ran is visible to the caller. A green thread that
    /// waits is parked, an ordinary one blocked. A closure that calls this on the same `Once` waits
    /// for itself, forever.
    ///
    /// Parks the calling green thread; from an ordinary thread, blocks it.
    ///
    /// This corresponds to [`std::sync::Once::call_once`].
    ///
    /// # Panics
    ///
    /// If `f` does, or if an earlier closure did.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::sync::Once;
    ///
    /// static START: Once = Once::new();
    ///
    /// let mut n_runs = 0;
    /// for _ in 0..3 {
    ///     START.call_once(|| n_runs += 1);
    /// }
    /// assert_eq!(n_runs, 1);
    /// ```
    #[inline]
    #[track_caller]
    pub fn call_once<F>(&self, f: F)
    where
        F: FnOnce(),
    {
        if self.is_completed() {
            return;
        }
        let mut f = Some(f);
        self.call(false, &mut |_| f.take().expect("called once")());
    }

    /// Runs `f` if nothing has returned from running yet: after a panic too.
    ///
    /// Parks the calling green thread; from an ordinary thread, blocks it.
    ///
    /// This corresponds to [`std::sync::Once::call_once_force`].
    ///
    /// # Panics
    ///
    /// If `f` does.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::sync::Once;
    /// use std_shim::thread;
    ///
    /// let once = Once::new();
    /// thread::scope(|scope| {
    ///     let panics = scope.spawn(|| once.call_once(|| panic!("no")));
    ///     assert!(panics.join().is_err());
    /// });
    /// // After a panic `call_once` would panic, too.
    /// once.call_once_force(|state| assert!(state.is_poisoned()));
    /// assert!(once.is_completed());
    /// ```
    #[inline]
    pub fn call_once_force<F>(&self, f: F)
    where
        F: FnOnce(&OnceState),
    {
        if self.is_completed() {
            return;
        }
        let mut f = Some(f);
        self.call(true, &mut |state| f.take().expect("called once")(state));
    }

    /// Returns whether a closure has run and returned.
    ///
    /// This corresponds to [`std::sync::Once::is_completed`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::sync::Once;
    ///
    /// let once = Once::new();
    /// assert!(!once.is_completed());
    /// once.call_once(|| assert!(!once.is_completed()));
    /// assert!(once.is_completed());
    /// ```
    #[inline]
    pub fn is_completed(&self) -> bool {
        // Pairs with the swap in `Completion::drop`.
        self.state.load(Acquire) == COMPLETE
    }

    /// Waits until a closure, of whichever thread, has run and returned.
    ///
    /// Parks the calling green thread; from an ordinary thread, blocks it.
    ///
    /// This corresponds to [`std::sync::Once::wait`].
    ///
    /// # Panics
    ///
    /// If a closure panicked.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::sync::Once;
    /// use std_shim::thread;
    ///
    /// let ready = Once::new();
    /// thread::scope(|scope| {
    ///     scope.spawn(|| ready.wait());
    ///     ready.call_once(|| println!("prepared"));
    /// });
    /// ```
    pub fn wait(&self) {
        if !self.is_completed() {
            self.wait_slow(false);
        }
    }

    /// Waits until a closure has run and returned, however many panic before.
    ///
    /// Parks the calling green thread; from an ordinary thread, blocks it.
    ///
    /// This corresponds to [`std::sync::Once::wait_force`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::sync::Once;
    /// use std_shim::thread;
    ///
    /// let ready = Once::new();
    /// thread::scope(|scope| {
    ///     scope.spawn(|| ready.wait_force());
    ///     ready.call_once(|| println!("prepared"));
    /// });
    /// ```
    pub fn wait_force(&self) {
        if !self.is_completed() {
            self.wait_slow(true);
        }
    }

    #[cold]
    #[track_caller]
    fn call(&self, force: bool, f: &mut dyn FnMut(&OnceState)) {
        let mut word = self.state.load(Acquire);
        loop {
            match word & !AWAITED {
                COMPLETE => return,
                POISONED if !force => poisoned(),
                RUNNING => word = self.park(word),
                state => {
                    let claimed = RUNNING | (word & AWAITED);
                    // Acquires what an attempt that panicked has released.
                    match self.state.compare_exchange_weak(word, claimed, Acquire, Acquire) {
                        Err(now) => word = now,
                        Ok(_) => {
                            bridge::note_owner(&self.state);
                            let mut completion = Completion { once: self, state: POISONED };
                            f(&OnceState { poisoned: state == POISONED, not_sync: PhantomData });
                            completion.state = COMPLETE;
                            return;
                        }
                    }
                }
            }
        }
    }

    #[cold]
    #[track_caller]
    fn wait_slow(&self, force: bool) {
        let mut word = self.state.load(Acquire);
        loop {
            match word & !AWAITED {
                COMPLETE => return,
                POISONED if !force => poisoned(),
                _ => word = self.park(word),
            }
        }
    }

    /// Parks while the state is as in `word`; returns what it is then, acquired.
    fn park(&self, word: u32) -> u32 {
        if word & AWAITED == 0
            && let Err(now) =
                self.state.compare_exchange_weak(word, word | AWAITED, Relaxed, Acquire)
        {
            return now;
        }
        bridge::wait(&self.state, word | AWAITED, None, WaitReason::Once);
        self.state.load(Acquire)
    }
}

/// Held while a closure runs; its drop ends the run, by a panic too.
struct Completion<'a> {
    once: &'a Once,
    state: u32,
}

impl Drop for Completion<'_> {
    fn drop(&mut self) {
        bridge::forget_owner(&self.once.state);
        // Pairs with every acquire of the word.
        if self.once.state.swap(self.state, Release) & AWAITED != 0 {
            bridge::wake(&self.once.state, usize::MAX);
        }
    }
}

#[cold]
#[track_caller]
fn poisoned() -> ! {
    panic!("Once instance has previously been poisoned")
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once").finish_non_exhaustive()
    }
}

impl OnceState {
    /// Returns whether an earlier closure panicked.
    ///
    /// This corresponds to [`std::sync::OnceState::is_poisoned`].
    #[inline]
    pub fn is_poisoned(&self) -> bool {
        self.poisoned
    }
}

impl fmt::Debug for OnceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnceState").field("poisoned", &self.is_poisoned()).finish()
    }
}
