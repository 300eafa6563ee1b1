//! What the kernel keeps for OS threads and hands on to those that they start: rights, system call
//! filters, name spaces, processors, priority. Together: their *attributes*.
//!
//! A new thread is to have those of the thread that starts it, as POSIX says: a sandbox that a thread has
//! entered holds for all that it starts. A green thread has those of the runtime's OS threads. So it is
//! enough to know whether the spawner has the same ones. If not, the new thread is an OS thread from its
//! start. The spawner makes it, and the kernel hands on what there is (`thread::outside`).
//!
//! # How it is known
//!
//! Each change has a number, and each OS thread that of its own last one, or of whoever it has got its
//! attributes from. The runtime's OS threads have the number of the OS thread that has started the
//! runtime.
//!
//! | who spawns | its number | the new thread |
//! |---|---|---|
//! | any thread of a program that has changed nothing | is not asked for | green |
//! | a green thread, with thread-locals of its own | is not asked for: its OS thread is the runtime's | green |
//! | an OS thread, a bound thread, a worker in the shared mode | that of the runtime's | green |
//! | the same | another one | an OS thread with this number |
//! | an OS thread that somebody else has started | unknown: 0 | an OS thread |
//!
//! Green threads never run with more rights than that: their OS threads are started by OS threads of the
//! same number alone. In the own mode a green thread that changes something is bound before
//! (`scheduler::bound`). In the shared mode its worker changes, and with it those that share the worker;
//! helpers, which make its blocking calls, have not changed: so such a worker makes them itself. A helper
//! that was changed in such a call ends after it.
//!
//! Whether anybody has changed anything is a bit of the word that each spawn looks at anyway, to see
//! whether the runtime has started (`runtime`).
//!
//! # Memory ordering
//!
//! A number is asked for by its own OS thread, and the bit by the one that has set it, or by one that it
//! has started. Otherwise it is a question of who comes first. So nothing is ordered.

use std::cell::Cell;
use std::io;

use crate::current;
use crate::primitive::{AtomicU32, Ordering};
use crate::runtime;
use crate::scheduler;
use crate::thread::bind;

/// Nobody knows.
const UNKNOWN: u32 = 0;

thread_local! {
    /// The number of this OS thread.
    static NUMBER: Cell<u32> = const { Cell::new(UNKNOWN) };
}

/// The last number that was given.
static LAST: AtomicU32 = AtomicU32::new(UNKNOWN);
/// That of the runtime's OS threads.
static OF_RUNTIME: AtomicU32 = AtomicU32::new(UNKNOWN);

/// Makes a call that changes what the kernel keeps for the calling OS thread and hands on to those that
/// it starts: its rights, system call filters, name spaces, processors, priority. Whether it `has_changed`
/// anything is asked of what it returns.
///
/// It holds for the calling thread alone, which is [bound](crate::thread::bind) before if it is green, and
/// for those that it spawns from now on: they are started as OS threads. For those who make such a system
/// call by themselves; `sylvan-posix` does it for those who call libc's functions.
///
/// Where green threads share their worker's thread-locals, it changes the worker.
///
/// # Errors
///
/// As [`bind`](crate::thread::bind), but for where green threads share: then the call was not made.
///
/// ```
/// sylvan::spawn(|| ()).join().unwrap();
/// // Here it gives up a right, by a system call of its own.
/// let give_up = || std::io::Result::Ok(());
/// sylvan::thread::change_attributes(give_up, Result::is_ok)??;
/// assert!(!sylvan::spawn(sylvan::thread::is_green).join().unwrap());
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn change_attributes<T>(
    call: impl FnOnce() -> T,
    has_changed: impl FnOnce(&T) -> bool,
) -> io::Result<T> {
    // Such a child changes itself alone.
    let is_vfork_child = scheduler::is_vfork_child();
    match bind() {
        Err(error) if error.kind() != io::ErrorKind::Unsupported => return Err(error),
        _ => {}
    }
    let result = call();
    // No system call from here on: perhaps they are forbidden now.
    if has_changed(&result) && !is_vfork_child {
        Inherited::anew().take();
    }
    Ok(result)
}

fn next() -> u32 {
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

/// What an OS thread that the caller starts has from it.
#[derive(Debug)]
pub struct Inherited(u32);

impl Inherited {
    /// What the calling thread hands on.
    #[must_use]
    pub fn of_caller() -> Self {
        match NUMBER.get() {
            // With thread-locals of its own it has no number.
            UNKNOWN if current::green().is_some() => Self(OF_RUNTIME.load(Ordering::Relaxed)),
            number => Self(number),
        }
    }

    /// What a thread has that begins, or goes on, with other attributes than anybody's.
    #[must_use]
    pub fn anew() -> Self {
        runtime::attributes_have_changed();
        Self(next())
    }

    /// The calling OS thread has it from now on.
    pub fn take(self) {
        NUMBER.set(self.0);
    }
}

/// The calling OS thread is one of the runtime's, or was.
pub(crate) fn inherit_from_runtime() {
    NUMBER.set(OF_RUNTIME.load(Ordering::Relaxed));
}

/// The calling OS thread starts the runtime's OS threads.
pub(crate) fn note_start() {
    if NUMBER.get() == UNKNOWN {
        NUMBER.set(next());
    }
    OF_RUNTIME.store(NUMBER.get(), Ordering::Relaxed);
}

/// Whether the calling OS thread has not the attributes of the runtime's, as far as one can tell.
pub(crate) fn differ() -> bool {
    NUMBER.get() != OF_RUNTIME.load(Ordering::Relaxed)
}
