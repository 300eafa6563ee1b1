//! Threads of whole programs: `pthread_create` starts a green one.
//!
//! A `pthread_t` is the address of a record of ours, since a green thread has its stack, and libc's record at
//! the top of it, from its first run on only. An OS thread has libc's own. Each function that takes one
//! looks which it is.
//!
//! # A record's life
//!
//! Two have it: the thread itself, until its function and its destructors are over, and whoever is to join
//! it, until then or until it is detached. The last of the two frees it. `state` says who is left:
//!
//! ```text
//!   RUNNING -- ends --> ENDED -- joined, or detached --> freed
//!      | detached                                          ^
//!      +--------------> DETACHED -- ends -------------------+
//! ```

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use libc::{pthread_attr_t, pthread_t};
use sylvan::{Wait, WaitReason};

use crate::next::call_next;
use crate::signal::own::Signals;
use crate::wait::{self, Restart};

unsafe extern "C" {
    fn pthread_attr_getdetachstate(attributes: *const pthread_attr_t, state: *mut c_int) -> c_int;
}

type Start = extern "C" fn(*mut c_void) -> *mut c_void;

const RUNNING: u32 = 0;
const DETACHED: u32 = 1;
const ENDED: u32 = 2;

/// Begins each record, and is nothing that libc's begins with: that one's first word points to itself.
const MARK: usize = 0x7379_6c76_616e_0001;

struct Record {
    mark: usize,
    state: AtomicU32,
    start: Start,
    argument: *mut c_void,
    result: Cell<*mut c_void>,
    signals: Signals,
}

thread_local! {
    static THIS: Cell<*const Record> = const { Cell::new(ptr::null()) };
}

/// A record on its way to its thread.
struct Sent(*const Record);
// SAFETY: a record is shared by its thread and whoever joins it; `state` orders them.
unsafe impl Send for Sent {}

/// The record of a green thread's number.
///
/// # Safety
///
/// The thread is there, or has not been joined or detached.
unsafe fn record<'a>(thread: pthread_t) -> Option<&'a Record> {
    let record = ptr::with_exposed_provenance::<Record>(thread as usize);
    // SAFETY: as the caller promises: a record, or libc's own, which is larger.
    unsafe { record.as_ref() }.filter(|record| record.mark == MARK)
}

/// As libc's, in a whole program.
///
/// # Safety
///
/// As for libc's.
pub(crate) unsafe fn create(
    thread: *mut pthread_t,
    attributes: *const pthread_attr_t,
    start: Start,
    argument: *mut c_void,
) -> c_int {
    let (mut detached, mut size) = (libc::PTHREAD_CREATE_JOINABLE, 0);
    if attributes.is_null() {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: writes the limit.
        unsafe { libc::getrlimit(libc::RLIMIT_STACK, &raw mut limit) };
        size =
            if limit.rlim_cur == libc::RLIM_INFINITY { 2 << 20 } else { limit.rlim_cur as usize };
    } else {
        // SAFETY: as the caller promises.
        unsafe {
            pthread_attr_getdetachstate(attributes, &raw mut detached);
            libc::pthread_attr_getstacksize(attributes, &raw mut size);
        }
    }
    let is_detached = detached == libc::PTHREAD_CREATE_DETACHED;
    let record = Box::into_raw(Box::new(Record {
        mark: MARK,
        state: AtomicU32::new(if is_detached { DETACHED } else { RUNNING }),
        start,
        argument,
        result: Cell::new(ptr::null_mut()),
        signals: Signals::new(),
    }));
    // SAFETY: there until the thread has ended, or could not be made.
    unsafe { (*record).signals.conceive(record.expose_provenance() as pthread_t, None) };
    // SAFETY: as the caller promises; before the thread can run, for it may look there.
    unsafe { *thread = record.expose_provenance() as pthread_t };
    let sent = Sent(record);
    let spawned = sylvan::Builder::new().stack_size(size).spawn(move || {
        let sent = sent;
        run(sent.0);
    });
    match spawned {
        Ok(_) => 0,
        Err(_) => {
            // SAFETY: as above.
            unsafe { (*record).signals.end() };
            // SAFETY: nobody else has it.
            drop(unsafe { Box::from_raw(record) });
            libc::EAGAIN
        }
    }
}

fn run(this: *const Record) {
    THIS.set(this);
    // SAFETY: the thread's own until it says ENDED.
    let record = unsafe { &*this };
    // SAFETY: conceived by who has made the thread.
    unsafe { record.signals.begin() };
    record.result.set((record.start)(record.argument));
    record.signals.end();
    // Release pairs with the acquire in `pthread_join` and `pthread_detach`.
    match record.state.swap(ENDED, Ordering::AcqRel) {
        // SAFETY: nobody else has it.
        DETACHED => drop(unsafe { Box::from_raw(this.cast_mut()) }),
        _ => {
            sylvan::wake(&raw const record.state, 1);
        }
    }
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn pthread_join(thread: pthread_t, result: *mut *mut c_void) -> c_int {
    // SAFETY: as the caller promises.
    let Some(record) = (unsafe { record(thread) }) else {
        // SAFETY: as above.
        return unsafe {
            call_next!(pthread_join(pthread_t, *mut *mut c_void) -> c_int, thread, result)
        };
    };
    // Acquire pairs with the release in `run`.
    while record.state.load(Ordering::Acquire) != ENDED {
        let _: Result<Wait, _> =
            wait::futex(&record.state, RUNNING, None, WaitReason::Join, Restart::UnlessCancelled);
    }
    if !result.is_null() {
        // SAFETY: as the caller promises.
        unsafe { *result = record.result.get() };
    }
    // SAFETY: the thread has ended, and this is the one call that joins it.
    drop(unsafe { Box::from_raw(ptr::from_ref(record).cast_mut()) });
    0
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub(crate) unsafe fn detach(thread: pthread_t) -> Option<c_int> {
    // SAFETY: as the caller promises.
    let record = unsafe { record(thread) }?;
    match record.state.compare_exchange(RUNNING, DETACHED, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => Some(0),
        Err(ENDED) => {
            // SAFETY: the thread has ended, and nobody is to join it.
            drop(unsafe { Box::from_raw(ptr::from_ref(record).cast_mut()) });
            Some(0)
        }
        Err(_) => Some(libc::EINVAL),
    }
}

/// As that of libc.
///
/// # Safety
///
/// None is needed.
pub unsafe extern "C" fn pthread_self() -> pthread_t {
    match THIS.get() {
        // SAFETY: asks who calls.
        this if this.is_null() => unsafe { call_next!(pthread_self() -> pthread_t,) },
        this => this.expose_provenance() as pthread_t,
    }
}

/// As that of libc.
///
/// # Safety
///
/// None is needed.
pub unsafe extern "C" fn pthread_equal(one: pthread_t, other: pthread_t) -> c_int {
    c_int::from(one == other)
}

/// Whether it is the number of a green thread, be it that it has ended.
///
/// # Safety
///
/// The thread is there, or has not been joined or detached.
pub(crate) unsafe fn is_green(thread: pthread_t) -> bool {
    // SAFETY: as the caller promises.
    unsafe { record(thread) }.is_some()
}
