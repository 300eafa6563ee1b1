//! Forks: a child has the one thread that has forked, and a runtime that has not started.
//!
//! ```text
//!   parent   started ---------------- fork ----------------> started, as if nothing had happened
//!                                       |
//!   child                               +--> not started --> first use --> started
//! ```
//!
//! POSIX leaves a child with one thread; of the others nothing is left but their memory. So a child of a
//! fork begins a new *life* of the runtime (`life`): what is registered here with libc
//! (`pthread_atfork`) forgets all that belonged to the parent's threads, before `fork` returns. The
//! runtime starts anew with the first green thread of the child, with event loops and OS threads of its
//! own, as the environment says then.
//!
//! # Why the parent is not held up
//!
//! Nobody takes a lock before the fork, as it is done where a child goes on with what its parent had. Here
//! it does not. The child leaves that where it is and never looks at it again: it writes new locks, empty
//! lists and null pointers over what leads there. So it does not matter where the other threads were, nor
//! in which of the runtime's functions. And a signal handler may fork, wherever it has interrupted its
//! thread, if it executes another program then.
//!
//! What the child does look at is what a lock protects that nobody had at the fork. The other threads run
//! on while the kernel copies the process, and yet the copy is consistent. It has what each thread had done
//! up to some moment; and if it has anything that one thread has seen of another, it has all that came
//! before that.
//!
//! | of the parent's | in the child |
//! |---|---|
//! | scheduler, deadlines, event loops | left behind; the descriptors of the event loops are closed, if they are still ours |
//! | who waits, by address and by descriptor | forgotten |
//! | registrations, readiness, timeouts, of descriptors | forgotten: the kernel is asked anew |
//! | `O_NONBLOCK` that the runtime has set | known, and never set by the child: see `reactor::family` |
//! | stacks that are free | used |
//! | stacks of threads | left as they are |
//! | what is recorded | the parent's alone: see `trace` |
//! | threads that park | cannot be woken: see `task::state` |
//! | whose thread-locals, which settings | as far as the program has said, the same |
//!
//! A lock of the program's that another thread had stays locked for ever, as on OS threads.
//!
//! # The thread that has forked
//!
//! It is an ordinary OS thread in the child. If it was a green one, it becomes *bound*
//! (`scheduler::bound`): it keeps its stack, its number, name and thread-locals, and what blocks blocks its
//! OS thread. But when its function returns, it does not go back to its worker's stack. It is the
//! thread that the child has begun with, and its end is that of the process, with status 0.
//!
//! libc takes the worker's stack for that of a thread that is gone, where the worker's thread-locals
//! are not those that the fork was called with (the own mode). It is taken out of those that libc will
//! use again: the kernel still writes to it (`rseq`).
//!
//! # What does not come by here
//!
//! `posix_spawn`, `vfork` and a raw `clone` run none of these handlers. They are for children that
//! execute another program at once.

use std::io;
use std::ptr;

use crate::context::tls;
use crate::current;
use crate::life;
use crate::owners;
use crate::park;
use crate::primitive::{AtomicBool, AtomicPtr, Ordering};
use crate::reactor;
use crate::scheduler;
use crate::stack;
use crate::task::{Header, id, state};
use crate::timer;
use crate::trace;

/// Has libc call `in_child` in each child of a fork. By one start after the other.
pub(crate) fn watch(in_child: unsafe extern "C" fn()) -> io::Result<()> {
    // Once: libc does not forget.
    static IS_WATCHED: AtomicBool = AtomicBool::new(false);
    if !IS_WATCHED.load(Ordering::Relaxed) {
        // SAFETY: both may be called at any fork.
        match unsafe { libc::pthread_atfork(Some(before), None, Some(in_child)) } {
            0 => IS_WATCHED.store(true, Ordering::Relaxed),
            error => return Err(io::Error::from_raw_os_error(error)),
        }
    }
    Ok(())
}

/// The green thread, or bound one, that has forked, and whose stack the child has begun on.
pub(crate) static FORKED: AtomicPtr<Header> = AtomicPtr::new(ptr::null_mut());

/// The calling thread, if it is on a stack of the runtime's.
fn on_own_stack<'a>() -> Option<&'a Header> {
    current::green().or_else(current::bound).filter(|task| task.bottom.get() != 0)
}

unsafe extern "C" fn before() {
    reactor::note_fork();
    if on_own_stack().is_some() {
        tls::before_fork();
    }
}

/// Begins a new life, in a child of a fork.
///
/// # Safety
///
/// The process has one thread, the caller, which is in none of the runtime's functions but this.
pub(crate) unsafe fn begin_anew() {
    let task = on_own_stack();
    FORKED.store(
        task.map_or(ptr::null_mut(), |task| ptr::from_ref(task).cast_mut()),
        Ordering::Relaxed,
    );
    if task.is_some() {
        tls::after_fork();
    }
    life::begin_anew();
    state::now::begin_anew();
    id::begin_anew();
    owners::forget();
    // SAFETY: as the caller promises.
    unsafe {
        scheduler::forget(task);
        trace::forget();
        timer::forget();
        reactor::forget();
        park::forget();
        stack::forget();
        tls::forget();
    }
}

/// To be called at the end of a thread that is bound: if it is the one that this process has begun with,
/// on a stack of the runtime's, the process ends with it.
#[cold]
pub(crate) fn at_end(task: &Header) {
    if ptr::eq(FORKED.load(Ordering::Relaxed), task) {
        // SAFETY: as at the end of any process, by its last thread.
        unsafe { libc::exit(0) };
    }
}
