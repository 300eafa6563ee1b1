//! Signals of timers that are for a certain thread: for the one that computes, or for a green one by its number.
//!
//! A timer of processor time (`setitimer` with `ITIMER_PROF`, `timer_create` with a clock of processor time) rings
//! while some thread computes, and the kernel gives its signal to that thread, if that has it open: profilers live by
//! it. But an OS thread that runs a green thread has blocked all signals, and `main` would get each of them. And the
//! kernel knows no green thread's number (`SIGEV_THREAD_ID`). So such a timer is made with a signal of this crate's own
//! ([`TICK`]), which those OS threads leave open. What it is really about is kept here, by a number that the kernel
//! says with it.
//!
//! | the timer | the kernel interrupts, or tells | the program's signal goes to |
//! |---|---|---|
//! | of processor time | a green thread that has it open, in the program's code | that one: its handler runs right there |
//! | | the same, in a call of this crate's or the runtime's | that one, by way of the attendant |
//! | | an OS thread that has it open | that one |
//! | | anybody else | a green thread that runs and has it open, by way of the attendant; or else the process |
//! | of a green thread's | the attendant | that one |
//!
//! The handler ([`on_tick`]) takes a lock in the first case alone, where the thread holds none. `TICK` restarts calls, so
//! that who is not concerned hears of nothing, but for an OS thread that is about to wait in a call that never goes on
//! behind a handler (`poll`, `nanosleep`). What is left for a green thread ends its wait as any signal does.
//!
//! Before Linux 6.4 the kernel gives signals of `timer_create` to `main` first. There timers of processor time are left
//! as they are, and their signals go to `main`.

use std::ffi::{CStr, c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, AtomicU32, AtomicUsize, Ordering};

use libc::{clockid_t, pid_t, sigevent, siginfo_t, sigval};

use super::attendant::{self, allocate, give_back};
use super::delivery::value_in;
use super::lock::held;
use super::outside::is_outside;
use super::own::{Signals, find, no_info, own};
use super::{bit, delivery, look_from, send};
use crate::errno::{errno, set_errno};
use crate::kernel;
use crate::owner;

/// The signal of such timers: the second one that libc lets a library have for itself.
pub(crate) const TICK: i32 = 63;

/// As many as there may be at a time. Others are the kernel's, as they are.
const N: usize = 64;

/// The first of them are those of `setitimer`, in the order of its clocks from `ITIMER_VIRTUAL` on.
pub(crate) const N_INTERVAL: usize = 2;
pub(crate) const INTERVAL_SIGNALS: [c_int; N_INTERVAL] = [libc::SIGVTALRM, libc::SIGPROF];

/// One timer. It is written by who has begun its use, before the kernel has heard of it.
struct Timer {
    /// Odd while it is in use.
    n_uses: AtomicU32,
    signal: AtomicI32,
    value: AtomicUsize,
    /// Whose it is; 0 for the one that computes.
    thread: AtomicI32,
    /// One more than what it is deleted by; 0 if nobody has said.
    name: AtomicUsize,
}

static TIMERS: [Timer; N] = [const {
    Timer {
        n_uses: AtomicU32::new(0),
        signal: AtomicI32::new(0),
        value: AtomicUsize::new(0),
        thread: AtomicI32::new(0),
        name: AtomicUsize::new(0),
    }
}; N];

/// Whether there has been any.
static ARE_ANY: AtomicBool = AtomicBool::new(false);

/// Whose a timer is whose thread has ended.
const NOBODY: pid_t = -1;

/// What is said with the signal: a timer's place, which use of it, and, on the way to the attendant, a thread.
#[derive(Clone, Copy)]
pub(crate) struct Key(usize);

/// In the order of their bits.
const PLACE_BITS: u32 = 8;
const USE_BITS: u32 = 24;

impl Key {
    fn new(place: usize, n_uses: u32) -> Self {
        let n_uses = n_uses as usize & ((1 << USE_BITS) - 1);
        Self(place | n_uses << PLACE_BITS)
    }

    fn place(self) -> usize {
        self.0 & ((1 << PLACE_BITS) - 1)
    }

    fn with_thread(self, thread: pid_t) -> Self {
        Self(self.0 | (thread.cast_unsigned() as usize) << (PLACE_BITS + USE_BITS))
    }

    fn thread(self) -> pid_t {
        ((self.0 >> (PLACE_BITS + USE_BITS)) as u32).cast_signed()
    }

    /// The timer, if it is still in that use.
    fn timer(self) -> Option<&'static Timer> {
        let timer = TIMERS.get(self.place())?;
        let n_uses = timer.n_uses.load(Ordering::Acquire);
        let is_it = n_uses % 2 == 1 && Self::new(self.place(), n_uses).0 == self.without_thread();
        is_it.then_some(timer)
    }

    fn without_thread(self) -> usize {
        self.0 & ((1 << (PLACE_BITS + USE_BITS)) - 1)
    }

    fn value(self) -> sigval {
        sigval { sival_ptr: ptr::without_provenance_mut(self.0) }
    }
}

/// The process begins.
pub(super) fn begin() {
    allocate(TICK, on_tick, libc::SA_RESTART);
}

/// There is a timer: the attendant is needed, if there are green threads.
pub(crate) fn attend() {
    if sylvan::has_started() {
        attendant::start();
    }
}

/// A green thread begins: the attendant is needed, if there is any such timer.
#[inline]
pub(super) fn thread_begins() {
    if ARE_ANY.load(Ordering::Relaxed) {
        attendant::start();
    }
}

/// A green thread ends: nobody hears of its own timers any more, whoever has its number later.
#[inline]
pub(super) fn thread_ends(number: pid_t) {
    if ARE_ANY.load(Ordering::Relaxed) {
        for timer in &TIMERS {
            // Another one that has begun meanwhile has another number.
            let _ =
                timer.thread.compare_exchange(number, NOBODY, Ordering::Relaxed, Ordering::Relaxed);
        }
    }
}

/// In a child of a fork, which has none of its parent's timers.
pub(super) fn forget() {
    for timer in &TIMERS {
        let n_uses = timer.n_uses.load(Ordering::Relaxed);
        timer.n_uses.store(n_uses.next_multiple_of(2), Ordering::Relaxed);
        timer.name.store(0, Ordering::Relaxed);
    }
}

/// Whether the kernel gives the signal of such a timer to the thread that computes.
pub(crate) fn goes_to_who_computes() -> bool {
    const UNKNOWN: u8 = 0;
    const NO: u8 = 1;
    const YES: u8 = 2;
    const SINCE: (u32, u32) = (6, 4);
    static ANSWER: AtomicU8 = AtomicU8::new(UNKNOWN);
    let mut answer = ANSWER.load(Ordering::Relaxed);
    if answer == UNKNOWN {
        answer = if release().is_some_and(|release| release >= SINCE) { YES } else { NO };
        ANSWER.store(answer, Ordering::Relaxed);
    }
    answer == YES
}

/// The first two numbers of the kernel's release.
fn release() -> Option<(u32, u32)> {
    // SAFETY: bytes.
    let mut name: libc::utsname = unsafe { std::mem::zeroed() };
    let to = (&raw mut name).expose_provenance() as _;
    // SAFETY: the kernel writes names to it, each with a NUL.
    let text = unsafe {
        kernel::enter(libc::SYS_uname, [to, 0, 0, 0, 0, 0]);
        CStr::from_ptr(name.release.as_ptr())
    };
    let mut numbers = text.to_str().ok()?.split(|it: char| !it.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Whether a clock is one of processor time: of the process, a thread, or another process.
fn is_of_processor_time(clock: clockid_t) -> bool {
    const DESCRIPTOR: clockid_t = 3;
    matches!(clock, libc::CLOCK_PROCESS_CPUTIME_ID | libc::CLOCK_THREAD_CPUTIME_ID)
        || clock < 0 && clock & DESCRIPTOR != DESCRIPTOR
}

/// Begins the use of a timer, if this is one of those: what the kernel is to be told instead.
///
/// # Safety
///
/// `event` is null, or points to what the program has said.
pub(crate) unsafe fn make(clock: clockid_t, event: *const sigevent) -> Option<(Key, sigevent)> {
    // SAFETY: as the caller promises.
    let asked = (!event.is_null()).then(|| unsafe { event.read() });
    let Some(mut asked) = asked else {
        let computes = is_of_processor_time(clock) && goes_to_who_computes();
        return computes.then(|| begin_use(N_INTERVAL..N, libc::SIGALRM, 0, 0)).flatten();
    };
    if !(1..=64).contains(&asked.sigev_signo) {
        return None;
    }
    let computes = is_of_processor_time(clock) && goes_to_who_computes();
    let thread = match asked.sigev_notify {
        libc::SIGEV_SIGNAL if computes => 0,
        libc::SIGEV_THREAD_ID if is_there(asked.sigev_notify_thread_id) => {
            asked.sigev_notify_thread_id
        }
        _ => return None,
    };
    let value = asked.sigev_value.sival_ptr.expose_provenance();
    let (key, ours) = begin_use(N_INTERVAL..N, asked.sigev_signo, value, thread)?;
    asked.sigev_signo = ours.sigev_signo;
    asked.sigev_value = ours.sigev_value;
    if thread != 0 {
        let Some(attendant) = attendant::number() else {
            end(key);
            return None;
        };
        asked.sigev_notify_thread_id = attendant;
    }
    Some((key, asked))
}

/// Whether there is a green thread of that number.
fn is_there(number: pid_t) -> bool {
    owner::is_green(number)
        && held(|held| find(held, |signals| signals.number() == number).is_some())
}

/// The same for one of `setitimer`'s.
pub(crate) fn make_interval(which: usize) -> Option<(Key, sigevent)> {
    begin_use(which..which + 1, INTERVAL_SIGNALS[which], 0, 0)
}

fn begin_use(
    places: std::ops::Range<usize>,
    signal: c_int,
    value: usize,
    thread: pid_t,
) -> Option<(Key, sigevent)> {
    for place in places {
        let timer = &TIMERS[place];
        let n_uses = timer.n_uses.load(Ordering::Relaxed);
        let next = n_uses.wrapping_add(1);
        // Acquire pairs with the release of `end`, of whoever had it before.
        let order = (Ordering::Acquire, Ordering::Relaxed);
        if n_uses % 2 == 1 || timer.n_uses.compare_exchange(n_uses, next, order.0, order.1).is_err()
        {
            continue;
        }
        timer.signal.store(signal, Ordering::Relaxed);
        timer.value.store(value, Ordering::Relaxed);
        timer.thread.store(thread, Ordering::Relaxed);
        ARE_ANY.store(true, Ordering::Relaxed);
        let key = Key::new(place, next);
        // SAFETY: zeros are one.
        let mut event: sigevent = unsafe { std::mem::zeroed() };
        event.sigev_notify = libc::SIGEV_SIGNAL;
        event.sigev_signo = TICK;
        event.sigev_value = key.value();
        return Some((key, event));
    }
    None
}

/// The kernel has made it, with this name.
pub(crate) fn made(key: Key, name: usize) {
    TIMERS[key.place()].name.store(name.wrapping_add(1), Ordering::Relaxed);
}

/// Its signal says its name, as the kernel has it where nobody has said what to say.
pub(crate) fn says_name(key: Key, name: usize) {
    TIMERS[key.place()].value.store(name, Ordering::Relaxed);
}

/// Of one of `setitimer`'s: its name, if it is in use.
pub(crate) fn interval(which: usize) -> Option<usize> {
    let timer = &TIMERS[which];
    let is_in_use = timer.n_uses.load(Ordering::Acquire) % 2 == 1;
    if is_in_use { timer.name.load(Ordering::Relaxed).checked_sub(1) } else { None }
}

/// It could not be made, or is no more.
pub(crate) fn end(key: Key) {
    // Release pairs with the acquire of the next use.
    TIMERS[key.place()].n_uses.fetch_add(1, Ordering::Release);
}

/// A timer is about to be deleted: the one of that name.
pub(crate) fn take_name(name: usize) -> Option<Key> {
    let noted = name.wrapping_add(1);
    for (place, timer) in TIMERS.iter().enumerate().skip(N_INTERVAL) {
        let n_uses = timer.n_uses.load(Ordering::Acquire);
        let is_taken = n_uses % 2 == 1
            && timer.name.compare_exchange(noted, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if is_taken {
            return Some(Key::new(place, n_uses));
        }
    }
    None
}

/// What a timer's signal says.
struct Ring {
    key: Key,
    /// The program's signal.
    info: siginfo_t,
    /// Whom it is for, as far as is known; 0 if nothing is.
    thread: pid_t,
    /// It is for that thread and for nobody else.
    is_its_own: bool,
}

fn read(info: &siginfo_t) -> Option<Ring> {
    if info.si_code != libc::SI_TIMER {
        return None;
    }
    let mut ring = *info;
    let key = Key(*value_in(&mut ring));
    let timer = key.timer()?;
    let is_interval = key.place() < N_INTERVAL;
    if is_interval {
        ring = no_info();
    }
    ring.si_signo = timer.signal.load(Ordering::Relaxed);
    if is_interval {
        ring.si_code = libc::SI_KERNEL;
    } else {
        *value_in(&mut ring) = timer.value.load(Ordering::Relaxed);
    }
    let owner = timer.thread.load(Ordering::Relaxed);
    let is_its_own = owner != 0;
    let thread = if is_its_own { owner } else { key.thread() };
    Some(Ring { key, info: ring, thread, is_its_own })
}

/// The attendant has been told of one.
pub(super) fn attend_to(info: &siginfo_t) {
    let Some(Ring { info, thread, is_its_own, .. }) = read(info) else { return };
    let is_sent = thread != 0 && send(|it| it.number() == thread, &info, false).is_some();
    // Nobody else is to hear of a thread's own timer. Who has computed may have ended since.
    if is_sent || is_its_own {
        return;
    }
    let signal = bit(info.si_signo);
    let id = held(|held| {
        let runs = find(held, |it| it.mask() & signal == 0 && it.runs(held));
        runs.map(Signals::id)
    });
    let is_sent = id.is_some_and(|id| send(|it| it.id() == id, &info, false).is_some());
    if !is_sent {
        give_back(&info);
    }
}

/// Tells the attendant of one that has rung in this thread, if any.
fn hand_to_attendant(told: &siginfo_t, ring: &Ring, thread: pid_t) {
    let mut told = *told;
    *value_in(&mut told) = ring.key.with_thread(thread).0;
    if !attendant::tell_with(&told) {
        give_back(&ring.info);
    }
}

/// The handler: see the header.
extern "C-unwind" fn on_tick(_: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel passes both.
    let (info, context) = unsafe { (&*info, &mut *context.cast::<libc::ucontext_t>()) };
    let Some(ring) = read(info) else { return };
    let error = errno();
    let signal = bit(ring.info.si_signo);
    match own() {
        Some(signals) if signals.mask() & signal != 0 => hand_to_attendant(info, &ring, 0),
        Some(signals) if is_outside(context) => {
            held(|held| signals.leave(held, &ring.info, false, false));
            look_from(signals, Some(context));
            // It may be another OS thread now.
            context.uc_stack = delivery::alternate_stack().0;
        }
        Some(signals) => hand_to_attendant(info, &ring, signals.number()),
        None => {
            if *delivery::mask_in(context) & signal == 0 {
                delivery::send_to_own(&ring.info);
            } else {
                hand_to_attendant(info, &ring, 0);
            }
        }
    }
    set_errno(error);
}
