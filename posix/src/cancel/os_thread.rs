//! The cancellation of OS threads, which are libc's, in waits of this crate.
//!
//! libc knows whether one was cancelled and lets that in, but it ends its own waits alone. So an OS thread of a whole
//! program that is about to wait by this crate has an [`Interrupt`] of its own, in a list by `pthread_t`. Who cancels
//! has libc note it, and then raises that one's. The thread enlists itself and then asks libc whether it was cancelled:
//! so either it finds out there, or it is found in the list. A wait that was ended so returns to the function that is the
//! cancellation point, which asks libc once more: there the thread exits.
//!
//! While it waits it is cancelled at no other place (`PTHREAD_CANCEL_ASYNCHRONOUS` is put off): the wait has to be
//! ended in order.

use std::cell::{Cell, UnsafeCell};
use std::ffi::{c_int, c_void};
use std::mem;
use std::ptr;

use libc::pthread_t;
use sylvan::contract::Interrupt;

use crate::next::{Next, call_next};
use crate::signal::lock::{Held, held};
use crate::wait::{Interrupted, Restart};
use crate::whole::is_in_force;

/// What an OS thread has once it is in the list.
struct Own {
    interrupt: Interrupt,
    /// Its `pthread_t`.
    id: usize,
    /// Whether its last wait was ended by its cancellation.
    is_due: Cell<bool>,
    next: Cell<*const Own>,
}

/// Where the calling thread's is, or null. A pointer: each green thread has a copy of all thread-locals of the program,
/// within one page with the rest of what it has.
struct Place(Cell<*mut Own>);

thread_local! {
    static OWN: Place = const { Place(Cell::new(ptr::null_mut())) };
}

impl Place {
    fn get(&self) -> Option<&Own> {
        // SAFETY: made by `enlist`, and there until the thread's end.
        unsafe { self.0.get().as_ref() }
    }
}

/// The first of the list. Under the lock of `signal`.
struct First(UnsafeCell<*const Own>);

// SAFETY: reached under the lock.
unsafe impl Sync for First {}

static FIRST: First = First(UnsafeCell::new(ptr::null()));

fn first(_: &Held) -> &Cell<*const Own> {
    // SAFETY: under the lock, and a cell.
    unsafe { &*FIRST.0.get().cast::<Cell<*const Own>>() }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(own) = self.get() else {
            return;
        };
        held(|held| {
            let mut at = first(held);
            // SAFETY: those in the list are there until they are here.
            while let Some(other) = unsafe { at.get().as_ref() } {
                if ptr::eq(other, own) {
                    at.set(own.next.get());
                    break;
                }
                at = &other.next;
            }
        });
        // SAFETY: from `Box::into_raw`, and nothing leads to it any more.
        drop(unsafe { Box::from_raw(self.0.get()) });
    }
}

/// Whether the caller is one that libc cancels.
fn is_libcs() -> bool {
    is_in_force() && !sylvan::is_green()
}

/// The calling thread is about to wait.
pub(super) fn enlist() {
    if !is_libcs() {
        return;
    }
    // A thread that is at its end has none, and is cancelled no more.
    let _ = OWN.try_with(|place| {
        if place.get().is_some() {
            return;
        }
        let own = Box::new(Own {
            interrupt: Interrupt::new(),
            // SAFETY: asks who calls.
            id: unsafe { call_next!(pthread_self() -> pthread_t,) } as usize,
            is_due: Cell::new(false),
            next: Cell::new(ptr::null()),
        });
        // A handler may have come in between, and waited. None does under the lock.
        held(|held| {
            if place.get().is_none() {
                let own = Box::into_raw(own);
                place.0.set(own);
                // SAFETY: just made.
                unsafe { &*own }.next.set(first(held).replace(own));
            }
        });
    });
}

/// As libc's `pthread_testcancel`, for an OS thread.
pub(super) fn point() {
    if !is_libcs() {
        return;
    }
    static NEXT: Next = Next::new(c"pthread_testcancel");
    // SAFETY: libc's function of that name, which has this type.
    let next = unsafe { mem::transmute::<*mut c_void, unsafe extern "C-unwind" fn()>(NEXT.get()) };
    // SAFETY: needs nothing.
    unsafe { next() };
}

/// Whether its cancellation has ended the calling OS thread's last wait.
pub(super) fn is_due() -> bool {
    OWN.try_with(|place| place.get().is_some_and(|own| own.is_due.get())).unwrap_or(false)
}

/// An OS thread was cancelled.
pub(super) fn end_wait(thread: pthread_t) {
    held(|held| {
        let mut at = first(held).get();
        // SAFETY: under the lock; those in the list are there.
        while let Some(own) = unsafe { at.as_ref() } {
            if own.id == thread as usize {
                own.interrupt.raise();
            }
            at = own.next.get();
        }
    });
}

/// In a child of a fork: the other threads are not there.
pub(crate) fn forget() {
    let own = OWN.try_with(|place| place.0.get().cast_const()).unwrap_or(ptr::null());
    held(|held| {
        // SAFETY: the calling thread's.
        if let Some(own) = unsafe { own.as_ref() } {
            own.next.set(ptr::null());
            own.interrupt.forget_others();
        }
        first(held).set(own);
    });
}

/// An OS thread's wait, until it ends by itself, or is to end.
pub(crate) fn by_os_thread<T>(
    restart: Restart,
    mut wait: impl FnMut(Option<&Interrupt>) -> Result<T, Interrupted>,
) -> Result<T, Interrupted> {
    // What an OS thread's wait names that nobody raises: a handler ends that in the kernel. One thread's, as
    // each is.
    let none = Interrupt::new();
    let ends = matches!(restart, Restart::AsAsked | Restart::Never);
    let own =
        OWN.try_with(|place| if is_libcs() { place.0.get().cast_const() } else { ptr::null() });
    // SAFETY: the calling thread's, or null.
    let Some(own) = (unsafe { own.unwrap_or(ptr::null()).as_ref() }) else {
        return wait((ends && !sylvan::is_green()).then_some(&none));
    };
    if restart == Restart::Always {
        return wait(None);
    }
    let before = set_type(DEFERRED);
    let end = loop {
        let end = wait(Some(&own.interrupt));
        if end.is_ok() {
            break end;
        }
        let is_due = own.interrupt.take() && lets_in();
        own.is_due.set(is_due);
        if is_due || ends {
            break end;
        }
    };
    set_type(before);
    end
}

const DEFERRED: c_int = 0;
const DISABLED: c_int = 1;

/// Sets the type of the calling OS thread's cancellation; what it was. Acts on one that it lets in.
fn set_type(to: c_int) -> c_int {
    let mut before = 0;
    // SAFETY: a place for the answer.
    unsafe { call_next!(pthread_setcanceltype(c_int, *mut c_int) -> c_int, to, &raw mut before) };
    before
}

/// Whether the calling OS thread lets a cancellation in.
fn lets_in() -> bool {
    let mut before = 0;
    // SAFETY: places for the answers.
    unsafe {
        let at = &raw mut before;
        call_next!(pthread_setcancelstate(c_int, *mut c_int) -> c_int, DISABLED, at);
        call_next!(pthread_setcancelstate(c_int, *mut c_int) -> c_int, before, ptr::null_mut());
    }
    before != DISABLED
}
