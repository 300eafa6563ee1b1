//! The birth of a thread: what real std knows of a green one that has a name.
//!
//! Code that was not built on the mirror asks real `std::thread::current()` which thread it runs on:
//! loggers do, and std's own report of a panic. std sets that up in one place only, at the beginning of a
//! thread that it has made by `pthread_create`. So a green thread begins as one, if it has a name to be
//! known by:
//!
//! 1. Whoever spawns it has std make a thread of its name, whose function does nothing.
//! 2. std calls `pthread_create`, which is ours. It makes none: it keeps what is to be called, and says
//!    that all is well. std lets go of the handle (`pthread_detach`).
//! 3. The green thread calls what was kept, before anything else. To std that is the new thread, and so it
//!    is: nothing has run there before, in thread-locals of its own. std keeps the handle there, with its
//!    name and number, calls the function, which does nothing, and returns. The destructor that it has
//!    registered for the handle runs with the others at the green thread's end.
//!
//! Step 1 is the spawner's because an allocator may ask std who calls, as its own documentation allows. On
//! the new thread that would make it a thread without a name, before std has said otherwise.
//!
//! In step 3 std also asks for the stack, to know an overflow by, which the runtime reports itself; and
//! gives the OS thread the name, which is not the green thread's alone. The functions for both are ours
//! (`stack` and `comm` have them). While a thread is being born, the one says that there is nothing, and
//! the other keeps the name for those who ask for it.
//!
//! With shared thread-locals there is no place to keep a handle. Where the functions here are not in
//! force the runtime never hears of `conceive`: it starts OS threads, of which the first tells it.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::ptr;

use libc::{pthread_attr_t, pthread_t};
use sylvan::contract::thread::Birth;

use crate::in_place_of_libc;
use crate::next::Next;

in_place_of_libc! { pthread_create, pthread_detach }

type Start = extern "C" fn(*mut c_void) -> *mut c_void;

/// What the calling thread is at.
#[derive(Clone, Copy)]
enum Stage {
    /// Its life.
    Living,
    /// Step 1, for another one.
    Spawning,
    /// After step 2: what is to be called, with what.
    Spawned(Start, *mut c_void),
    /// Step 3.
    Born,
}

thread_local! {
    /// Where the calling thread's stage is, while it is not living. A pointer: each green thread has a copy of all
    /// thread-locals of the program, within one page with the rest of what it has.
    static STAGE: Cell<*const Cell<Stage>> = const { Cell::new(ptr::null()) };
}

/// What the calling thread is at.
fn stage() -> Stage {
    // SAFETY: null, or in the frame of a `through` that has not returned.
    unsafe { STAGE.get().as_ref() }.map_or(Stage::Living, Cell::get)
}

/// Calls `f` on the way through the steps, from that stage on; the stage that it has come to.
fn through(first: Stage, f: impl FnOnce()) -> Stage {
    /// Ends the way, also when `f` panics.
    struct Way;
    impl Drop for Way {
        fn drop(&mut self) {
            STAGE.set(ptr::null());
        }
    }
    let stage = Cell::new(first);
    STAGE.set(&raw const stage);
    let way = Way;
    f();
    drop(way);
    stage.get()
}

/// Steps 1 and 2; what is called for step 3.
fn conceive(name: &str) -> Option<Birth> {
    // An error leaves the thread unknown: there is no memory, most likely.
    let spawn = || drop(std::thread::Builder::new().name(name.to_owned()).spawn(|| ()));
    let Stage::Spawned(start, argument) = through(Stage::Spawning, spawn) else { return None };
    Some(Box::new(move || {
        through(Stage::Born, || _ = start(argument));
    }))
}

/// Whether the calling thread is on its way through the steps.
pub(crate) fn is_between() -> bool {
    !matches!(stage(), Stage::Living)
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn pthread_create(
    thread: *mut pthread_t,
    attributes: *const pthread_attr_t,
    start: Start,
    argument: *mut c_void,
) -> c_int {
    static NEXT: Next = Next::new(c"pthread_create");
    type Function =
        unsafe extern "C" fn(*mut pthread_t, *const pthread_attr_t, Start, *mut c_void) -> c_int;
    // SAFETY: null, or in the frame of a `through` that has not returned.
    if let Some(stage) = unsafe { STAGE.get().as_ref() }
        && matches!(stage.get(), Stage::Spawning)
    {
        stage.set(Stage::Spawned(start, argument));
        // SAFETY: as the caller promises.
        unsafe { *thread = libc::pthread_self() };
        return 0;
    }
    if !sylvan::contract::thread::is_starting_os_thread() && crate::begins_green() {
        // SAFETY: as the caller promises; they differ in that a thread may exit.
        return unsafe {
            let start = std::mem::transmute::<Start, crate::thread::Start>(start);
            crate::thread::create(
                thread,
                attributes,
                crate::thread::Function::Posix(start),
                argument,
            )
        };
    }
    sylvan::contract::thread::conceive_by(conceive);
    // SAFETY: libc's function of that name, which has this type.
    let next = unsafe { std::mem::transmute::<*mut c_void, Function>(NEXT.get()) };
    // SAFETY: as the caller promises.
    unsafe { next(thread, attributes, start, argument) }
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn pthread_detach(thread: pthread_t) -> c_int {
    static NEXT: Next = Next::new(c"pthread_detach");
    if is_between() {
        return 0;
    }
    // SAFETY: as the caller promises.
    if crate::is_whole()
        // SAFETY: as above.
        && let Some(result) = unsafe { crate::thread::detach(thread) }
    {
        return result;
    }
    // SAFETY: libc's function of that name, which has this type.
    let next = unsafe {
        std::mem::transmute::<*mut c_void, unsafe extern "C" fn(pthread_t) -> c_int>(NEXT.get())
    };
    // SAFETY: as the caller promises.
    unsafe { next(thread) }
}
