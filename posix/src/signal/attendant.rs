//! The attendant: an OS thread that sees to signals which reach nobody by themselves. There is one once it
//! is needed.
//!
//! # Threads that compute
//!
//! A thread that waits is woken for a signal. One that runs notices at its next wait. Until then it is
//! *poked*: a signal of this crate's own (`POKE`) goes to the OS thread that it runs on, and the handler
//! looks which thread runs there. If that has been left something, and is in the program's own code, the
//! handler has it delivered right there. If it is in this crate's or the runtime's code, which may hold a
//! lock, or if by now another thread runs there, nothing is done. The attendant pokes again, after a
//! millisecond or more, until the thread has looked. So it does not matter what the thread did between the
//! look where it runs and the poke.
//!
//! # Signals for the process
//!
//! The kernel gives these to a thread that has not blocked them, and to `main` before all others. It knows of
//! OS threads alone, and green threads are covered there. So the attendant takes those that `main` has
//! blocked (or has ended without), and that a green thread has open or waits for. It waits for them, and
//! leaves each for such a thread. A signal that nobody has open any more goes back to the process.

use std::ffi::{c_int, c_long, c_void};
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};

use libc::siginfo_t;

use super::handler::FAULTS;
use super::lock::{Held, block, held};
use super::outside::is_outside;
use super::own::{self, Signals, no_info};
use super::tick::{self, TICK};
use super::{INTERNAL, OURS, bit, delivery, look_from};
use crate::cancel;
use crate::errno::{errno, set_errno};
use crate::kernel;
use crate::next::call_next;

/// The highest real-time signal, which libc lets a library have for itself.
pub(crate) const POKE: i32 = 64;

/// Nobody's but libc's and this crate's, and what nobody can wait for.
const NEVER: u64 = INTERNAL | OURS | bit(libc::SIGKILL) | bit(libc::SIGSTOP);

/// The shortest and the longest time between two pokes.
const PAUSES_NS: (c_long, c_long) = (1_000_000, 16_000_000);

/// Pauses of the shortest time, before they double: a thread that makes one short call after the other is outside of
/// them now and then.
const BRISK: u32 = 500;

/// Pauses of 20 µs before a thread does not wait for the attendant any more.
const MOST_PAUSES: u32 = 5000;

const NONE: i32 = 0;
const STARTING: i32 = -1;

/// The attendant's number, or one of the above.
static ATTENDANT: AtomicI32 = AtomicI32::new(NONE);

/// Somebody was poked, or a mask has changed.
static HAS_NEWS: AtomicBool = AtomicBool::new(false);

/// What threads had open when the attendant looked last.
static OPEN: AtomicU64 = AtomicU64::new(0);

/// For what the attendant waits, or is about to.
static THEIRS: AtomicU64 = AtomicU64::new(0);

/// How often threads have asked that it looks anew and wait for that, and how many of these it has seen
/// to.
static ASKED: AtomicU64 = AtomicU64::new(0);
static ANSWERED: AtomicU64 = AtomicU64::new(0);

/// What `main` has blocked.
static BLOCKED_BY_MAIN: AtomicU64 = AtomicU64::new(0);

type Handler = extern "C-unwind" fn(c_int, *mut siginfo_t, *mut c_void);

/// The process begins.
pub(super) fn begin() {
    allocate(POKE, on_poke, 0);
    BLOCKED_BY_MAIN.store(super::lock::mask(), Ordering::Relaxed);
}

/// Takes the highest signal that is left, which is this one, for this crate itself.
pub(super) fn allocate(expected: i32, handler: Handler, flags: c_int) {
    unsafe extern "C" {
        fn __libc_allocate_rtsig(high: c_int) -> c_int;
    }
    // SAFETY: nobody was there before.
    let signal = unsafe { __libc_allocate_rtsig(0) };
    debug_assert_eq!(signal, expected);
    // SAFETY: zeros are an action; the handler does what one may.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | flags;
        libc::sigfillset(&mut action.sa_mask);
        call_next!(
            sigaction(c_int, *const libc::sigaction, *mut libc::sigaction) -> c_int,
            signal,
            &raw const action,
            ptr::null_mut()
        );
    }
}

/// Pokes the OS thread that runs a thread, or has last. The caller sees to it that the attendant
/// [hears](attend) of it.
pub(crate) fn poke_once(held: &Held, signals: &Signals) {
    if let Some(os_thread) = signals.os_thread(held) {
        tell(os_thread as i32);
    }
}

/// Pokes a thread until it has looked. It lives until the caller is back.
pub(crate) fn poke(signals: &Signals) {
    if own::own().is_some_and(|own| ptr::eq(own, signals)) {
        return;
    }
    held(|held| poke_once(held, signals));
    attend();
}

fn tell(os_thread: i32) {
    // SAFETY: sends a signal to a thread of this process, if there is one of that number.
    unsafe {
        let pid = kernel::enter(libc::SYS_getpid, [0; 6]);
        kernel::enter(libc::SYS_tgkill, [pid, os_thread.into(), POKE.into(), 0, 0, 0]);
    }
}

/// Tells the attendant this; whether there is one, and it hears of it.
pub(super) fn tell_with(info: &siginfo_t) -> bool {
    let attendant = ATTENDANT.load(Ordering::SeqCst);
    attendant > 0 && kernel::send_to(attendant, info)
}

/// The attendant's number, once it has begun; `None` if there can be none.
pub(super) fn number() -> Option<i32> {
    for _ in 0..MOST_PAUSES {
        match ATTENDANT.load(Ordering::SeqCst) {
            NONE => start(),
            STARTING => pause(),
            attendant => return Some(attendant),
        }
    }
    None
}

/// Has the attendant look: somebody was poked, or has opened or blocked something.
pub(crate) fn attend() {
    // Sequentially consistent, as is the attendant's own: either it finds this, or it is told.
    if HAS_NEWS.swap(true, Ordering::SeqCst) {
        return;
    }
    match ATTENDANT.load(Ordering::SeqCst) {
        NONE | STARTING => start(),
        attendant => tell(attendant),
    }
}

/// There is one from now on, if one can be had.
pub(super) fn start() {
    let is_missing = ATTENDANT.load(Ordering::SeqCst) == NONE
        && ATTENDANT.compare_exchange(NONE, STARTING, Ordering::SeqCst, Ordering::SeqCst).is_ok();
    if is_missing && sylvan::contract::signal::start_attendant(run).is_err() {
        // Whoever waits notices at its next wait; somebody else may have more luck.
        ATTENDANT.store(NONE, Ordering::SeqCst);
        HAS_NEWS.store(false, Ordering::SeqCst);
    }
}

/// A green thread has these open: has the attendant look if that is new, and `main` would not get them.
pub(crate) fn has_open(open: u64) {
    let wanted = open & !(FAULTS | NEVER) & BLOCKED_BY_MAIN.load(Ordering::SeqCst);
    if wanted & !OPEN.load(Ordering::SeqCst) != 0 {
        attend();
    }
}

/// A green thread has these open no more. Returns when the attendant does not wait for them on its account:
/// else it would take a signal that is to be found pending.
pub(crate) fn has_closed(closed: u64) {
    let closed = THEIRS.load(Ordering::SeqCst) & closed;
    if closed == 0 || held(|held| own::find(held, |signals| signals.mask() & closed == 0).is_some())
    {
        return;
    }
    let asked = ASKED.fetch_add(1, Ordering::SeqCst) + 1;
    attend();
    for _ in 0..MOST_PAUSES {
        if ANSWERED.load(Ordering::SeqCst) >= asked {
            return;
        }
        pause();
    }
}

fn pause() {
    let time = libc::timespec { tv_sec: 0, tv_nsec: 20_000 };
    let time = (&raw const time).expose_provenance() as _;
    // SAFETY: the kernel reads a time.
    unsafe { kernel::enter(libc::SYS_nanosleep, [time, 0, 0, 0, 0, 0]) };
}

/// Whether it waits for any of these.
pub(crate) fn waits_for_any(set: u64) -> bool {
    THEIRS.load(Ordering::SeqCst) & set != 0
}

/// Whether a signal for the process would not reach `main`.
pub(crate) fn is_blocked_by_main(signal: u64) -> bool {
    BLOCKED_BY_MAIN.load(Ordering::SeqCst) & signal != 0
}

/// The calling OS thread has blocked these, and no other.
pub(crate) fn has_blocked(mask: u64) {
    // SAFETY: asks for two numbers.
    let is_main = unsafe {
        kernel::enter(libc::SYS_getpid, [0; 6]) == kernel::enter(libc::SYS_gettid, [0; 6])
    };
    if is_main {
        main_has_blocked(mask);
    }
}

/// `main` has blocked these; all, if it has ended.
pub(crate) fn main_has_blocked(mask: u64) {
    let before = BLOCKED_BY_MAIN.swap(mask, Ordering::SeqCst);
    if mask & !before != 0 && held(|held| own::find(held, |_| true).is_some()) {
        attend();
    }
}

/// In a child of a fork: there is none.
pub(crate) fn forget() {
    ATTENDANT.store(NONE, Ordering::Relaxed);
    HAS_NEWS.store(false, Ordering::Relaxed);
    OPEN.store(0, Ordering::Relaxed);
    THEIRS.store(0, Ordering::Relaxed);
    ANSWERED.store(ASKED.load(Ordering::Relaxed), Ordering::Relaxed);
    BLOCKED_BY_MAIN.store(super::lock::mask(), Ordering::Relaxed);
}

/// The attendant's life.
fn run() {
    // What it waits for beside that is blocked, as for each of the runtime's OS threads. libc's own signals are not:
    // `setuid` has each thread take one, and waits for that.
    block(OURS);
    // SAFETY: asks for a number.
    let this = unsafe { kernel::enter(libc::SYS_gettid, [0; 6]) };
    ATTENDANT.store(this as i32, Ordering::SeqCst);
    let (mut theirs, mut refused) = (0, 0);
    let mut n_pauses = 0_u32;
    loop {
        if HAS_NEWS.swap(false, Ordering::SeqCst) {
            let asked = ASKED.load(Ordering::SeqCst);
            (theirs, refused) = (find_theirs(), 0);
            THEIRS.store(theirs, Ordering::SeqCst);
            ANSWERED.store(asked, Ordering::SeqCst);
            n_pauses = 0;
        }
        let is_any_waited_for = held(|held| {
            let mut is_any = false;
            own::find(held, |signals| {
                if signals.is_waited_for() {
                    is_any = true;
                    poke_once(held, signals);
                }
                false
            });
            is_any
        });
        let timeout = is_any_waited_for.then(|| pause_ns(n_pauses));
        n_pauses = n_pauses.saturating_add(1);
        let Some(info) = wait_for(theirs & !refused | OURS, timeout) else { continue };
        if info.si_signo == TICK {
            tick::attend_to(&info);
        } else if info.si_signo != POKE && !hand_on(&info) {
            // Whoever opens it from here on says so; and who has opened it before that is found.
            OPEN.fetch_and(!bit(info.si_signo), Ordering::SeqCst);
            if !hand_on(&info) {
                refused |= bit(info.si_signo);
                give_back(&info);
            }
        }
    }
}

/// The time before the next poke, after so many.
fn pause_ns(n_pauses: u32) -> c_long {
    let (shortest, longest) = PAUSES_NS;
    let doublings = n_pauses.saturating_sub(BRISK).min((longest / shortest).ilog2());
    shortest << doublings
}

/// Waits for one of these, which the calling OS thread has blocked.
pub(crate) fn wait_for(set: u64, timeout_ns: Option<c_long>) -> Option<siginfo_t> {
    let mut info = no_info();
    let timeout = timeout_ns.map(|tv_nsec| libc::timespec { tv_sec: 0, tv_nsec });
    let timeout = timeout.as_ref().map_or(ptr::null(), ptr::from_ref).expose_provenance() as _;
    let (set, to) = ((&raw const set).expose_provenance(), (&raw mut info).expose_provenance());
    let what = [set as _, to as _, timeout, size_of::<u64>() as _, 0, 0];
    // SAFETY: the kernel reads a mask and a time, and writes to `info`.
    let signal = unsafe { kernel::enter(libc::SYS_rt_sigtimedwait, what) };
    (signal > 0).then_some(info)
}

/// What green threads have open or wait for, and `main` has not open.
fn find_theirs() -> u64 {
    let (mut open, mut waited_for) = (0, 0);
    held(|held| {
        own::find(held, |signals| {
            open |= !signals.mask();
            waited_for |= signals.waits_for();
            false
        })
        .is_some()
    });
    OPEN.store(open, Ordering::SeqCst);
    (open & BLOCKED_BY_MAIN.load(Ordering::SeqCst) | waited_for) & !(FAULTS | NEVER)
}

/// Leaves a signal for the process to a thread that waits for it or has it open; whether there is one.
pub(crate) fn hand_on(info: &siginfo_t) -> bool {
    let signal = bit(info.si_signo);
    held(|held| {
        let waits = own::find(held, |signals| signals.waits_for() & signal != 0);
        let target = waits.or_else(|| own::find(held, |signals| signals.mask() & signal == 0));
        let Some(target) = target else { return false };
        target.leave(held, info, false, true);
        if !target.interrupt.raise() {
            poke_once(held, target);
        }
        true
    })
}

/// Leaves a signal for the process to whoever opens it next.
pub(crate) fn give_back(info: &siginfo_t) {
    let with = ptr::from_ref(info).expose_provenance() as _;
    // A thread's number stands for its process here. With another one than its own a thread may not say that
    // the kernel, or a `kill`, has sent it.
    // SAFETY: sends what is there to this process.
    unsafe {
        let this = kernel::enter(libc::SYS_gettid, [0; 6]);
        let what = [this, info.si_signo.into(), with, 0, 0, 0];
        kernel::enter(libc::SYS_rt_sigqueueinfo, what);
    }
}

/// The handler of a poke: see the header.
extern "C-unwind" fn on_poke(_: c_int, _: *mut siginfo_t, context: *mut c_void) {
    let Some(signals) = own::own() else { return };
    // SAFETY: the kernel passes one.
    let context = unsafe { &mut *context.cast::<libc::ucontext_t>() };
    let is_over = cancel::is_due_at_once();
    if signals.deliverable() == 0 && !is_over || !is_outside(context) {
        return;
    }
    if is_over {
        delivery::leave_handler(signals);
        cancel::point();
    }
    let error = errno();
    look_from(signals, Some(context));
    set_errno(error);
    // It may be another OS thread now.
    context.uc_stack = delivery::alternate_stack().0;
}
