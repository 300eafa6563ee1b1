//! Binding: a green thread takes the OS thread that it runs on for itself, to its end.
//!
//! The kernel keeps for an OS thread what a program takes for its thread's own: rights, processors,
//! priority, whom it traces, whose death its children hear of. A green thread that changes any of it
//! must not leave it behind for others, nor go on without it. So it stays on its OS thread, and nobody
//! else ever runs there.
//!
//! ```text
//!               bind                                  its function returns
//!   green ----------------> bound: an OS thread ----------------------------> ended, and with it
//!     ^   |                 without a core                                    the OS thread
//!     +---+ no OS thread can be had for the core
//! ```
//!
//! To be bound is to be in a blocking section that never ends (`task::lease`):
//!
//! 1. The section begins, if the run is in none: from here on the worker's word says BLOCKING, for good.
//! 2. The core goes to an idle spare, or to one that is started for it here, before the caller changes
//!    anything, so that it does not inherit that. If somebody else is about to take it, or has, that is
//!    as good. If no OS thread can be had, the core is taken back, and the section ends.
//! 3. The task has no lease any more, and the thread-locals of its block say that this is an OS thread,
//!    whose handle is the task (`current`). So names, numbers and tokens stay, and everything that blocks
//!    blocks the OS thread, as on any other one. It does not suspend any more, so that its context is
//!    resumed no more: it stays on the worker's stack below it until it returns.
//! 4. When it has returned, its worker finds its lease revoked, as after any section that has lost its
//!    core. It reaps the task, finds that it was bound, since that has no lease, and ends.
//!
//! The OS thread leaves those that the runtime counts in step 2, for it is the program's from there on.
//!
//! # Others' children
//!
//! To the kernel the parent of a child is an OS thread, and a child may have asked for a signal at its
//! parent's end (`PR_SET_PDEATHSIG`). So a thread takes no OS thread for itself that another one has
//! started a child from which lives, for it would end with this thread. It gives the core to a new OS
//! thread, yields, and goes on on that one, or on another one's. There are at most as many workers to
//! avoid as cores.
//!
//! # Who is above
//!
//! Between the start of a thread and the caller of `bind` there may be frames that know the caller as a
//! green thread: blocking sections, whose function is the program's. When one ends it looks whether the
//! task still has a lease. All else asks anew who runs.
//!
//! # In the shared mode
//!
//! The thread-locals are the worker's, and with them all that others have left there: a thread cannot
//! leave with them. It stays on its worker in any case, so what it sets holds for it, and for those that
//! it shares the worker with.

use std::io;

use super::{Scheduler, TlsMode};
use crate::attributes;
use crate::context::Switch;
use crate::current;
use crate::primitive::Ordering;
use crate::sys;
use crate::task::Header;

impl Scheduler {
    /// Binds the calling green thread.
    pub(crate) fn bind(&'static self, task: &Header) -> io::Result<()> {
        if super::is_vfork_child() {
            // It changes nothing of its parent's.
            return Ok(());
        }
        if self.tls_mode == TlsMode::Shared {
            let why = "a green thread that shares its worker's thread-locals cannot have the worker for itself";
            return Err(io::Error::new(io::ErrorKind::Unsupported, why));
        }
        // Each time it may meet another worker that is somebody's parent.
        for _ in 0..=2 * self.n_cores() {
            // Where no new one can be had an idle one may be.
            if sys::thread::has_children() != Some(true) || self.hand_off_core(task, true).is_err()
            {
                break;
            }
            task.suspend(Switch::Yielded);
        }
        self.hand_off_core(task, false)?;
        let lease = task.lease.get().expect("a green thread is in a run");
        if lease.is_apart() {
            self.spares.bind_apart();
        }
        self.leave_place(lease);
        self.spares.deregister();
        if let Some(watch) = &self.watch {
            watch.forget(task);
        }
        task.core.store(sys::thread::id(), Ordering::Relaxed);
        task.lease.set(None);
        current::bind(task);
        attributes::inherit_from_runtime();
        if let Some(name) = task.name() {
            sys::thread::set_name(name);
        }
        Ok(())
    }

    /// In a run: gives its core to another OS thread, a new one if it is to be. An error leaves all as it
    /// was.
    fn hand_off_core(&'static self, task: &Header, is_to_be_new: bool) -> io::Result<()> {
        let lease = task.lease.get().expect("a green thread is in a run");
        let began = lease.begin_section().is_some();
        while !lease.is_revoked() {
            match self.spares.replace(self.core_of(task), lease, is_to_be_new) {
                // Whoever is about to take it will have done so, or have withdrawn, in a moment.
                Ok(given) if !given => sys::thread::yield_now(),
                Ok(_) => {}
                Err(error) => {
                    if began && !lease.end_section() {
                        task.suspend(Switch::Yielded);
                    }
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}
