//! Threads of whole programs: `pthread_create` starts a green one.
//!
//! A `pthread_t` is the address of a record of ours (`record`), since a green thread has its stack, and
//! libc's record at the top of it, from its first run on only. An OS thread has libc's own, and is libc's in
//! all respects. OS threads are the first thread, those of before the runtime, those whose attributes
//! ask for what an OS thread alone can have, and those of a maker that has such a thing (`create`). Each
//! function that takes a `pthread_t` looks which it is.
//!
//! | module | what |
//! |---|---|
//! | `record` | what is known of a thread, where it is kept, and for how long |
//! | `create` | how one begins, runs and ends |
//! | `join` | who waits for it, and who lets it go |
//! | `exit` | ends by `pthread_exit`, of the first thread, and of the process after the last one |
//! | `c11` | the same by C11's names |

mod c11;
mod create;
mod exit;
mod join;
mod record;

use std::ffi::c_int;

use libc::{pid_t, pthread_t};

pub use c11::*;
pub(crate) use create::{Function, Start, create};
pub use exit::pthread_exit;
pub(crate) use exit::unwind;
pub(crate) use join::detach;
pub use join::{pthread_clockjoin_np, pthread_join, pthread_timedjoin_np, pthread_tryjoin_np};
pub(crate) use record::{Bounds, Name, Record, Whose, is_green, name_at, of, show, this};

use crate::next::call_next;
use crate::owner;

/// As that of libc.
///
/// # Safety
///
/// None is needed.
pub unsafe extern "C" fn pthread_self() -> pthread_t {
    match this() {
        Some(record) => record.id(),
        // SAFETY: asks who calls.
        None => unsafe { call_next!(pthread_self() -> pthread_t,) },
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

/// As that of libc: the kernel's number of an OS thread. A green thread's is one that the kernel gives to nobody,
/// and that stays the same from one OS thread to another.
///
/// # Safety
///
/// None is needed.
pub unsafe extern "C" fn gettid() -> pid_t {
    owner::me().cast_signed()
}
