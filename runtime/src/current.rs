//! Who is running here.
//!
//! Three thread-locals say it. In the own mode the first is set once, in a green thread's own block,
//! and stays, unless the thread is bound to its OS thread (`scheduler::bound`): then the second takes
//! its place. In the shared mode the worker sets the first for each run. The third is an OS thread's
//! own and means something on its own stack only.

use std::cell::OnceCell;
use std::ptr::{self, NonNull};

use crate::task::{Header, TaskRef};

local_pointer! {
    /// The green thread that runs here; null on an OS thread.
    static GREEN: Header as "sylvan_current_green";
}

local_pointer! {
    /// The thread that has this OS thread for itself, if it was started by the runtime.
    static BOUND: Header as "sylvan_current_bound";
}

thread_local! {
    /// The handle of any other OS thread, made when somebody asks for it.
    static OS_THREAD: OnceCell<TaskRef> = const { OnceCell::new() };
}

/// The green thread that calls; `None` from an OS thread.
#[inline]
pub(crate) fn green<'a>() -> Option<&'a Header> {
    // SAFETY: set to a task for as long as it runs here; whoever asks is called by that task, and
    // uses the answer in its own name.
    unsafe { GREEN.get().as_ref() }
}

/// Says who runs here from now on.
#[inline]
pub(crate) fn set_green(task: *const Header) {
    GREEN.set(task);
}

/// The thread that has the calling OS thread for itself; `None` for green threads, and for OS threads
/// that the runtime has not started.
pub(crate) fn bound<'a>() -> Option<&'a Header> {
    // SAFETY: set to the task of this OS thread, until both end; used as above.
    unsafe { BOUND.get().as_ref() }
}

/// Says that the calling OS thread is this thread's alone from now on, to its end.
pub(crate) fn bind(task: &Header) {
    GREEN.set(ptr::null());
    BOUND.set(task);
}

/// The thread of the calling OS thread has ended.
pub(crate) fn unbind() {
    BOUND.set(ptr::null());
}

/// Where an OS thread says who runs on it: found once, and written at each switch.
///
/// It does not leave the OS thread that it belongs to, since a pointer is not `Send`; nor is it for
/// green threads, which do.
#[derive(Clone, Copy)]
pub(crate) struct Place(NonNull<*const Header>);

impl Place {
    /// That of the calling OS thread.
    pub(crate) fn here() -> Self {
        Self(NonNull::new(GREEN.place()).expect("a thread has its memory"))
    }

    #[inline]
    pub(crate) fn set_green(self, task: *const Header) {
        // SAFETY: of this OS thread, and there as long as it.
        unsafe { self.0.write(task) };
    }
}

/// Where the calling thread's own thread-locals say who it is: the first, and the second for one that is bound.
/// Who looks from outside finds the thread of a stack by them, where each has its own.
pub(crate) fn places() -> [usize; 2] {
    [GREEN.place().addr(), BOUND.place().addr()]
}

/// The handle of the calling OS thread, made by `make` the first time.
pub(crate) fn os_thread(make: fn() -> TaskRef) -> TaskRef {
    if let Some(task) = bound() {
        return TaskRef::to(task);
    }
    // When the thread-local has ended (in the destructor of another one) each call makes a new
    // handle, as std's own does.
    OS_THREAD.try_with(|this| this.get_or_init(make).clone()).unwrap_or_else(|_| make())
}
