//! Who is running here.
//!
//! Two thread-locals say it. In the own mode the first is set once, in a green thread's own block,
//! and stays; in the shared mode the worker sets it for each run. The second is a worker's own
//! and means something on its own stack only.

use std::cell::{Cell, OnceCell};
use std::ptr::{self, NonNull};

use crate::task::{Header, TaskRef};

thread_local! {
    /// The green thread that runs here; null on an OS thread.
    static GREEN: Cell<*const Header> = const { Cell::new(ptr::null()) };
    /// The handle of an OS thread, made when somebody asks for it.
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
pub(crate) fn set_green(task: *const Header) {
    GREEN.set(task);
}

/// Where an OS thread says who runs on it: found once, and written at each switch.
///
/// It does not leave the OS thread that it belongs to, since a pointer is not `Send`; nor is it for
/// green threads, which do.
#[derive(Clone, Copy)]
pub(crate) struct Place(NonNull<Cell<*const Header>>);

impl Place {
    /// That of the calling OS thread.
    pub(crate) fn here() -> Self {
        Self(GREEN.with(|green| NonNull::from(green)))
    }

    #[inline]
    pub(crate) fn set_green(self, task: *const Header) {
        // SAFETY: a thread-local of this OS thread, and one that is never dropped.
        unsafe { self.0.as_ref() }.set(task);
    }
}

/// The handle of the calling OS thread, made by `make` the first time.
pub(crate) fn os_thread(make: fn() -> TaskRef) -> TaskRef {
    // When the thread-local has ended (in the destructor of another one) each call makes a new
    // handle, as std's own does.
    OS_THREAD.try_with(|this| this.get_or_init(make).clone()).unwrap_or_else(|_| make())
}
