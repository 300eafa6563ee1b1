//! Threads that borrow, because the scope they belong to outlives them.
//!
//! A scope counts what it must wait for. Each thread it starts holds a [`Ticket`], one of that
//! count, first in its closure and then, with the result, in an [`Outcome`]. The outcome belongs
//! to whoever ends up with it: `join` takes the result out of it; the thread drops it itself if
//! its handle is gone by then, and the handle if the thread has ended. The result is dropped
//! before the ticket, so when the count is zero nothing that borrows from the scope is left, be it
//! a closure, a result or a panic's payload.
//!
//! ```text
//!   scope.spawn(f)        f returns or panics       join() | dropped
//!   running += 1   --->   Outcome { result, ticket }  --->  running -= 1, wakes `scope` at zero
//! ```
//!
//! A panic that nobody took from an outcome is noted in the scope, which then panics itself. A
//! handle that is leaked keeps its outcome, and `scope` waits forever, with std as here.
//!
//! # Memory ordering
//!
//! A ticket's release decrement of `running` pairs with the acquire load in `wait_for_all`: all
//! that the threads did, the note of a panic included, is visible when `scope` returns. The
//! increment can be relaxed: who starts a thread in a scope is the scope's own closure or holds a
//! ticket, so the count cannot be seen at zero meanwhile.

use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::{fmt, io};

use super::Result;
use super::builder::Builder;
use super::thread::Thread;
use crate::bridge::{self, WaitReason};

/// Starts threads that may borrow from outside [`scope()`], which hands it to its closure.
///
/// This corresponds to [`std::thread::Scope`].
pub struct Scope<'scope, 'env: 'scope> {
    data: Arc<ScopeData>,
    /// Whose scope it is.
    main_thread: Thread,
    /// Makes `'scope` invariant: it can be neither shortened nor stretched behind our back.
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

/// Owns the right to [`join`](Self::join) a thread of a scope.
///
/// Dropping it leaves the waiting to the scope.
///
/// This corresponds to [`std::thread::ScopedJoinHandle`].
///
/// # Examples
///
/// ```
/// use std_shim::thread;
///
/// let mut numbers = vec![1, 2, 3];
/// let sum = thread::scope(|scope| {
///     let sum = scope.spawn(|| numbers.iter().sum::<i32>());
///     sum.join().unwrap()
/// });
/// numbers.push(sum);
/// assert_eq!(numbers, [1, 2, 3, 6]);
/// ```
pub struct ScopedJoinHandle<'scope, T> {
    handle: bridge::thread::JoinHandle<Outcome<T>>,
    scope: PhantomData<&'scope ()>,
    /// To the compiler, as std's: a place that the thread shares, into which it puts its result.
    result: PhantomData<Arc<UnsafeCell<T>>>,
}

// SAFETY: what the handle gives access to is the result, once, by value: that is sent. The
// runtime's handle may be used from any thread.
unsafe impl<T: Send> Send for ScopedJoinHandle<'_, T> {}
// SAFETY: as above; and through a shared handle nobody reaches the result.
unsafe impl<T: Send> Sync for ScopedJoinHandle<'_, T> {}

/// Runs `f` with a scope to start threads in, and returns when all of them have ended.
///
/// The threads may borrow whatever lives longer than the call. Those that were not joined are
/// waited for, together with those that they start in the same scope. Thread-locals' destructors
/// of a thread that was not joined may still run when the scope has returned.
///
/// Parks the calling green thread; from an ordinary thread, blocks it.
///
/// This corresponds to [`std::thread::scope`].
///
/// # Panics
///
/// With what `f` panicked with, after the wait; if a thread panicked that was not joined.
///
/// # Examples
///
/// ```
/// use std_shim::thread;
///
/// let mut numbers = vec![1, 2, 3];
/// let mut doubled = 0;
/// thread::scope(|s| {
///     s.spawn(|| doubled = numbers.iter().map(|n| n * 2).sum());
///     let longest = s.spawn(|| numbers.iter().max());
///     assert_eq!(longest.join().unwrap(), Some(&3));
/// });
/// numbers.push(doubled);
/// assert_eq!(numbers, [1, 2, 3, 12]);
/// ```
#[track_caller]
pub fn scope<'env, F, T>(f: F) -> T
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
{
    let main_thread = super::current();
    let scope = Scope { data: Arc::default(), main_thread, scope: PhantomData, env: PhantomData };
    let result = catch_unwind(AssertUnwindSafe(|| f(&scope)));
    scope.data.wait_for_all();
    match result {
        Err(panic) => resume_unwind(panic),
        Ok(_) if scope.data.a_thread_panicked.load(Ordering::Relaxed) => {
            panic!("a scoped thread panicked")
        }
        Ok(value) => value,
    }
}

impl<'scope, 'env> Scope<'scope, 'env> {
    /// Starts a green thread in the scope, and returns the handle to join it with.
    ///
    /// This corresponds to [`std::thread::Scope::spawn`].
    ///
    /// # Panics
    ///
    /// When the thread cannot be started; [`Builder::spawn_scoped`] returns an error instead.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::thread;
    ///
    /// let words = ["one", "two", "three"];
    /// let lengths: Vec<usize> = thread::scope(|scope| {
    ///     let threads: Vec<_> = words.iter().map(|word| scope.spawn(|| word.len())).collect();
    ///     threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    /// });
    /// assert_eq!(lengths, [3, 3, 5]);
    /// ```
    pub fn spawn<F, T>(&'scope self, f: F) -> ScopedJoinHandle<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        Builder::new().spawn_scoped(self, f).expect("failed to spawn thread")
    }
}

impl Builder {
    /// Starts the thread, green, in a scope, and returns the handle to join it with.
    ///
    /// This corresponds to [`std::thread::Builder::spawn_scoped`].
    ///
    /// # Errors
    ///
    /// When there is no memory for the stack.
    ///
    /// # Panics
    ///
    /// If the name contains a NUL.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::thread;
    ///
    /// let text = String::from("borrowed");
    /// let length = thread::scope(|s| {
    ///     let named = thread::Builder::new().name("counter".to_owned());
    ///     let counter = named.spawn_scoped(s, || text.len())?;
    ///     Ok::<_, std::io::Error>(counter.join().unwrap())
    /// })?;
    /// assert_eq!(length, 8);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn spawn_scoped<'scope, 'env, F, T>(
        self,
        scope: &'scope Scope<'scope, 'env>,
        f: F,
    ) -> io::Result<ScopedJoinHandle<'scope, T>>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        let ticket = ScopeData::ticket(&scope.data);
        let body = move || {
            // Mentioned first, so that a body that never runs drops it before the ticket.
            let f = AssertUnwindSafe(f);
            bridge::note_scope(&ticket.0.running);
            let result = Some(catch_unwind(f));
            bridge::forget_scope();
            Outcome { result, ticket }
        };
        // SAFETY: the body, and then the outcome, hold a ticket, which is dropped after all else
        // in them; `scope` returns, and so ends `'scope`, only when there is no ticket left.
        let handle = unsafe { self.into_runtime().spawn_unchecked(body) }?;
        Ok(ScopedJoinHandle { handle, scope: PhantomData, result: PhantomData })
    }
}

impl<'scope, T> ScopedJoinHandle<'scope, T> {
    /// Returns a handle to the thread itself.
    ///
    /// This corresponds to [`std::thread::ScopedJoinHandle::thread`].
    #[must_use]
    pub fn thread(&self) -> &Thread {
        Thread::from_ref(self.handle.thread())
    }

    /// Waits for the thread to end, its thread-locals' destructors included, and returns its
    /// result.
    ///
    /// Parks the calling green thread; from an ordinary thread, blocks it.
    ///
    /// This corresponds to [`std::thread::ScopedJoinHandle::join`].
    ///
    /// # Errors
    ///
    /// What the thread panicked with; the scope does not panic for it then.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::thread;
    ///
    /// thread::scope(|scope| {
    ///     assert_eq!(scope.spawn(|| 1 + 1).join().unwrap(), 2);
    ///     assert!(scope.spawn(|| panic!("no")).join().is_err());
    /// });
    /// ```
    pub fn join(self) -> Result<T> {
        self.handle.join().and_then(Outcome::into_result)
    }

    /// Tells whether the thread's closure is done, so that [`join`](Self::join) takes no more
    /// than the time the thread needs to wind up.
    ///
    /// This corresponds to [`std::thread::ScopedJoinHandle::is_finished`].
    pub fn is_finished(&self) -> bool {
        self.handle.is_finished()
    }
}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("num_running_threads", &self.data.running.load(Ordering::Relaxed))
            .field("a_thread_panicked", &self.data.a_thread_panicked.load(Ordering::Relaxed))
            .field("main_thread", &self.main_thread)
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for ScopedJoinHandle<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopedJoinHandle").finish_non_exhaustive()
    }
}

/// What a scope knows of its threads. Shared, for the last of them may still be about to wake the
/// scope when that has seen the count and returned.
#[derive(Default)]
struct ScopeData {
    /// The tickets that are out; `scope` waits on it for zero.
    running: AtomicU32,
    /// A thread's panic was dropped instead of joined.
    a_thread_panicked: AtomicBool,
}

impl ScopeData {
    fn ticket(this: &Arc<ScopeData>) -> Ticket {
        let ticket = Ticket(this.clone());
        // Only leaked handles can add up to this; a count that came round to zero would end the
        // scope too early. The ticket is there already and takes the increment back.
        if this.running.fetch_add(1, Ordering::Relaxed) > u32::MAX / 2 {
            panic!("too many running threads in thread scope");
        }
        ticket
    }

    fn wait_for_all(&self) {
        loop {
            // Pairs with the decrement in `Ticket::drop`.
            let running = self.running.load(Ordering::Acquire);
            if running == 0 {
                return;
            }
            bridge::wait(&self.running, running, None, WaitReason::Scope);
        }
    }
}

/// One of the threads that a scope waits for.
struct Ticket(Arc<ScopeData>);

impl Drop for Ticket {
    fn drop(&mut self) {
        // Pairs with the load in `ScopeData::wait_for_all`.
        if self.0.running.fetch_sub(1, Ordering::Release) == 1 {
            bridge::wake(&self.0.running, 1);
        }
    }
}

/// How a thread of a scope ended. The fields are dropped in this order, see the module's header.
struct Outcome<T> {
    /// Empty once somebody has joined.
    result: Option<Result<T>>,
    ticket: Ticket,
}

impl<T> Outcome<T> {
    fn into_result(mut self) -> Result<T> {
        self.result.take().expect("an outcome is joined once")
    }
}

impl<T> Drop for Outcome<T> {
    fn drop(&mut self) {
        if let Some(Err(_)) = self.result {
            // Ordered by the ticket, which is dropped next.
            self.ticket.0.a_thread_panicked.store(true, Ordering::Relaxed);
        }
    }
}
