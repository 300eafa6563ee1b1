//! How a thread begins, runs and ends.
//!
//! A green thread has what libc's attributes ask for as far as the runtime has it: whether it is detached,
//! and at least that much stack; its guard is the runtime's. What is left only an OS thread can have: a stack
//! of the program's, a policy or a priority of its own, or processors of its own. So the thread is one, by
//! libc's own function and with libc's errors. So are those whose maker has attributes that the runtime's OS
//! threads have not (`attributes`): the kernel hands on all there is.

use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicUsize, Ordering};

use libc::{cpu_set_t, pthread_attr_t, pthread_t, sched_param, size_t};
use sylvan::contract::thread::Inherited;

use super::exit;
use super::record::{DETACHED, ENDED, JOINED, Name, Record, this};
use crate::next::{Next, call_next};
use crate::signal::lock;
use crate::signal::own::{Signals, own};
use crate::{cancel, kernel};

unsafe extern "C" {
    fn pthread_attr_getdetachstate(attributes: *const pthread_attr_t, state: *mut c_int) -> c_int;
    fn pthread_attr_getinheritsched(attributes: *const pthread_attr_t, it: *mut c_int) -> c_int;
    fn pthread_attr_getschedpolicy(attributes: *const pthread_attr_t, it: *mut c_int) -> c_int;
    fn pthread_attr_getschedparam(attributes: *const pthread_attr_t, it: *mut sched_param)
    -> c_int;
    fn pthread_attr_getaffinity_np(
        attributes: *const pthread_attr_t,
        len: size_t,
        it: *mut cpu_set_t,
    ) -> c_int;
}

pub(crate) type Start = unsafe extern "C-unwind" fn(*mut c_void) -> *mut c_void;

type StartOfC11 = unsafe extern "C-unwind" fn(*mut c_void) -> c_int;

/// The function of a thread, by either of its makers.
#[derive(Clone, Copy)]
pub(crate) enum Function {
    Posix(Start),
    C11(StartOfC11),
}

/// What attributes ask for.
struct Asked {
    is_detached: bool,
    stack_size: usize,
    /// The signals that it is to have blocked, if they are not its maker's.
    mask: Option<u64>,
    /// A stack of the program's, which an OS thread alone can have.
    has_stack: bool,
    /// A policy, a priority or processors of its own: the same, and what it makes itself inherits them.
    has_attributes: bool,
}

impl Asked {
    /// # Safety
    ///
    /// They are attributes.
    unsafe fn by(attributes: *const pthread_attr_t) -> Self {
        const PTHREAD_EXPLICIT_SCHED: c_int = 1;
        let (mut detached, mut stack_size, mut stack) = (0, 0, std::ptr::null_mut());
        let (mut inherits, mut policy) = (0, 0);
        let mut param = sched_param { sched_priority: 0 };
        let mut processors = MaybeUninit::<[u8; size_of::<cpu_set_t>()]>::uninit();
        // SAFETY: as the caller promises; places for the answers. What is not set is all processors.
        let processors = unsafe {
            pthread_attr_getdetachstate(attributes, &raw mut detached);
            libc::pthread_attr_getstack(attributes, &raw mut stack, &raw mut stack_size);
            libc::pthread_attr_getstacksize(attributes, &raw mut stack_size);
            pthread_attr_getinheritsched(attributes, &raw mut inherits);
            pthread_attr_getschedpolicy(attributes, &raw mut policy);
            pthread_attr_getschedparam(attributes, &raw mut param);
            let len = size_of::<cpu_set_t>();
            match pthread_attr_getaffinity_np(attributes, len, processors.as_mut_ptr().cast()) {
                0 => processors.assume_init(),
                _ => [0; size_of::<cpu_set_t>()],
            }
        };
        // libc counts a stack of its own down from null.
        let has_stack = !stack.is_null() && (stack as usize).wrapping_add(stack_size) != 0;
        let has_priority = inherits == PTHREAD_EXPLICIT_SCHED
            && (policy != libc::SCHED_OTHER || param.sched_priority != 0);
        let has_processors = processors != [!0; size_of::<cpu_set_t>()];
        Self {
            is_detached: detached == libc::PTHREAD_CREATE_DETACHED,
            stack_size,
            // SAFETY: as the caller promises.
            mask: unsafe { mask_by(attributes) },
            has_stack,
            has_attributes: has_priority || has_processors,
        }
    }
}

/// The signals that attributes say are to be blocked; libc has that since version 2.32.
///
/// # Safety
///
/// They are attributes.
unsafe fn mask_by(attributes: *const pthread_attr_t) -> Option<u64> {
    static NEXT: Next = Next::new(c"pthread_attr_getsigmask_np");
    type Function = unsafe extern "C" fn(*const pthread_attr_t, *mut libc::sigset_t) -> c_int;
    let next = NEXT.get();
    if next.is_null() {
        return None;
    }
    let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: libc's function has this type; a place for the answer. The kernel's mask comes first.
    unsafe {
        let next = std::mem::transmute::<*mut c_void, Function>(next);
        (next(attributes, set.as_mut_ptr()) == 0).then(|| set.as_ptr().cast::<u64>().read())
    }
}

/// The stack of a thread without attributes, as libc found it when the program began.
fn default_stack_size() -> usize {
    /// 0 until it is known; whoever finds it finds the same.
    static SIZE: AtomicUsize = AtomicUsize::new(0);
    let known = SIZE.load(Ordering::Relaxed);
    if known != 0 {
        return known;
    }
    let mut attributes = MaybeUninit::uninit();
    let mut size = 0;
    // SAFETY: initialized before it is asked, and let go.
    unsafe {
        libc::pthread_attr_init(attributes.as_mut_ptr());
        libc::pthread_attr_getstacksize(attributes.as_ptr(), &raw mut size);
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
    }
    SIZE.store(size, Ordering::Relaxed);
    size
}

/// The name of the calling thread, which a new one inherits.
fn own_name() -> Name {
    if let Some(this) = this() {
        return this.name();
    }
    let mut name = Name::default();
    let to = name.as_mut_ptr().expose_provenance() as _;
    // SAFETY: the kernel writes as much.
    unsafe { kernel::enter(libc::SYS_prctl, [libc::PR_GET_NAME.into(), to, 0, 0, 0, 0]) };
    name
}

/// As libc's, in a whole program.
///
/// # Safety
///
/// As for libc's.
pub(crate) unsafe fn create(
    thread: *mut pthread_t,
    attributes: *const pthread_attr_t,
    function: Function,
    argument: *mut c_void,
) -> c_int {
    let asked = if attributes.is_null() {
        Asked {
            is_detached: false,
            stack_size: default_stack_size(),
            mask: None,
            has_stack: false,
            has_attributes: false,
        }
    } else {
        // SAFETY: as the caller promises.
        unsafe { Asked::by(attributes) }
    };
    let is_green = match sylvan::contract::thread::spawns_green() {
        Ok(may_be) => may_be && !asked.has_stack && !asked.has_attributes,
        Err(_) => return libc::EAGAIN,
    };
    if !is_green {
        // SAFETY: as the caller promises.
        return unsafe { create_os_thread(thread, attributes, &asked, function, argument) };
    }
    let start = match function {
        Function::Posix(start) => start,
        // SAFETY: a green thread's function is called by `exit::call` alone, which keeps the register that either
        // type leaves its result in; `thrd_join` looks at the part that this one fills.
        Function::C11(function) => unsafe { std::mem::transmute::<StartOfC11, Start>(function) },
    };
    exit::prepare();
    let record = Record::take(start, argument, asked.is_detached);
    record.set_name(own_name());
    // SAFETY: the record stays where it is.
    unsafe { record.signals.conceive(record.id(), asked.mask) };
    // SAFETY: as the caller promises; before the thread can run, for it may look there.
    unsafe { *thread = record.id() };
    exit::begins();
    let spawned = sylvan::Builder::new().stack_size(asked.stack_size).spawn(move || run(record));
    match spawned {
        Ok(_) => 0,
        Err(_) => {
            exit::ends();
            record.signals.end();
            record.give_back();
            libc::EAGAIN
        }
    }
}

/// The whole life of a green thread.
fn run(record: &'static Record) {
    record.begin();
    // SAFETY: conceived by who has made the thread.
    unsafe { record.signals.begin() };
    if let Some(start) = record.start.get() {
        // SAFETY: the function of whoever has made the thread, with what it is to have.
        unsafe { exit::call(start, record.argument.get(), record.result.as_ptr()) };
    }
    cancel::is_over(record);
    sylvan::contract::thread::end_locals();
    record.signals.end();
    exit::ends();
    // Releases to who joins and to who detaches; acquires what the latter did.
    match record.state.fetch_or(ENDED, Ordering::AcqRel) {
        state if state & DETACHED != 0 => record.give_back(),
        state if state & JOINED != 0 => {
            sylvan::wake(&raw const record.state, 1);
        }
        _ => {}
    }
}

/// What an OS thread is to run, and what a green maker hands on of which the kernel knows nothing.
struct Errand {
    function: Function,
    argument: *mut c_void,
    name: Option<Name>,
    mask: Option<u64>,
    attributes: Inherited,
}

extern "C-unwind" fn run_errand(errand: *mut c_void) -> *mut c_void {
    // SAFETY: the caller's, which has left it to this thread.
    let errand = *unsafe { Box::from_raw(errand.cast::<Errand>()) };
    let Errand { function, argument, name, mask, attributes } = errand;
    attributes.take();
    exit::tell_at_end();
    if let Some(name) = name {
        let name = name.as_ptr().expose_provenance() as _;
        // SAFETY: the kernel reads a name, which ends with a zero.
        unsafe { kernel::enter(libc::SYS_prctl, [libc::PR_SET_NAME.into(), name, 0, 0, 0, 0]) };
    }
    if let Some(mask) = mask {
        // Last, for a handler may run at once.
        lock::set_mask(mask);
    }
    // SAFETY: the function of whoever has made the thread, with what it is to have.
    unsafe {
        match function {
            Function::Posix(start) => start(argument),
            Function::C11(function) => {
                std::ptr::without_provenance_mut(function(argument) as usize)
            }
        }
    }
}

/// An OS thread, by libc. Where attributes have a mask libc sees to it.
///
/// # Safety
///
/// As for libc's `pthread_create`.
unsafe fn create_os_thread(
    thread: *mut pthread_t,
    attributes: *const pthread_attr_t,
    asked: &Asked,
    function: Function,
    argument: *mut c_void,
) -> c_int {
    // The kernel has those of a green maker's OS thread: a name of the runtime's, and a mask that blocks all.
    let name = this().map(|this| this.name());
    let mask = if asked.mask.is_none() { own().map(Signals::mask) } else { None };
    let inherited = if asked.has_attributes { Inherited::anew() } else { Inherited::of_caller() };
    let errand = Errand { function, argument, name, mask, attributes: inherited };
    let errand = Box::into_raw(Box::new(errand));
    exit::begins();
    // SAFETY: as the caller promises.
    let error = unsafe {
        call_next!(
            pthread_create(*mut pthread_t, *const pthread_attr_t, Start, *mut c_void) -> c_int,
            thread,
            attributes,
            run_errand,
            errand.cast()
        )
    };
    if error != 0 {
        exit::ends();
        // SAFETY: there is no thread to have it.
        drop(unsafe { Box::from_raw(errand) });
    }
    error
}
