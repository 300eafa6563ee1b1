//! What the modelled modules stand on.

use std::os::fd::BorrowedFd;
use std::ptr::NonNull;

use loom::thread::{JoinHandle, Thread};

use crate::primitive::{AtomicU32, Cell, Ordering};
use crate::scheduler::idle::Asleep;
use crate::task::{Header, Runnable, VTable};
use context::Context;
use sys::futex;

/// A green thread: one of loom's, whose worker and core are its own.
#[repr(C)]
pub(crate) struct Green {
    header: Header,
    /// The right to run it is with whoever runs it, or on the way there.
    has_right: Cell<bool>,
    thread: Thread,
    main: Cell<Option<Box<dyn FnOnce()>>>,
}

/// Starts a green thread.
pub(crate) fn spawn_green(main: impl FnOnce() + 'static) -> JoinHandle<()> {
    loom::thread::spawn(move || {
        let green = Green {
            header: new_header(),
            has_right: Cell::new(true),
            thread: loom::thread::current(),
            main: Cell::new(Some(Box::new(main))),
        };
        current::set_green(&green.header);
        // SAFETY: it is not scheduled yet.
        let mut runnable = unsafe { Runnable::from_raw(NonNull::from(&green.header)) };
        *runnable.context_mut() = Some(Context(&raw const green));
        // SAFETY: once, and nothing else is on this stack.
        unsafe { green.header.live() };
    })
}

/// A pointer that goes to another thread, which the model keeps valid.
#[derive(Clone, Copy)]
pub(crate) struct Sent<T>(pub(crate) T);

// SAFETY: loom runs all its threads on one OS thread.
unsafe impl<T> Send for Sent<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Sent<T> {}

/// A task that is a header alone.
pub(crate) fn new_header() -> Header {
    unsafe fn run(task: NonNull<Header>) {
        // SAFETY: tasks that run are green threads.
        let green = unsafe { task.cast::<Green>().as_ref() };
        (green.main.take().expect("a thread runs once"))();
    }
    unsafe fn take(_: NonNull<Header>, _: *mut ()) {
        unreachable!("a model's tasks have no result")
    }
    unsafe fn free(_: NonNull<Header>) {
        unreachable!("a model's tasks lie on its threads' stacks, and have no result")
    }

    const VTABLE: &VTable = &VTable { run, take, drop_result: free, free };
    Header::new(VTABLE, None, None, 1)
}

/// A core, as far as it can be woken.
pub(crate) struct Core {
    pub(crate) asleep: Asleep,
    /// The event loop: 1 if it has been woken.
    poller: AtomicU32,
}

impl Core {
    pub(crate) fn new() -> Self {
        Self { asleep: Asleep::new(), poller: AtomicU32::new(0) }
    }

    /// As the scheduler does.
    pub(crate) fn wake(&self) {
        if self.asleep.claim() {
            self.wake_poller();
        }
    }

    /// Ends a `poll`, or the next one.
    pub(crate) fn wake_poller(&self) {
        self.poller.swap(1, Ordering::Release);
        futex::wake(&self.poller, 1);
    }

    /// Takes what is to end a `poll`; whether there was anything.
    pub(crate) fn look(&self) -> bool {
        self.poller.swap(0, Ordering::Acquire) == 1
    }

    pub(crate) fn poll(&self) {
        while !self.look() {
            futex::wait(&self.poller, 0, None);
        }
    }
}

loom::lazy_static! {
    /// The core that green threads set their alarms on.
    pub(crate) static ref CORE: Core = Core::new();
}

/// What the scheduler does.
pub(crate) fn schedule(task: Runnable) {
    // SAFETY: tasks that park are green threads, which last at least until they run again.
    let green = unsafe { task.into_raw().cast::<Green>().as_ref() };
    assert!(!green.has_right.replace(true), "a second right to run a task");
    green.thread.unpark();
}

pub(crate) fn schedule_remote(task: Runnable) {
    schedule(task);
}

pub(crate) fn wake_core(_: usize) {
    CORE.wake();
}

pub(crate) fn is_unattended(_: usize) -> bool {
    false
}

/// There is one core.
pub(crate) fn near(_: u32, _: BorrowedFd<'_>) -> Option<u32> {
    None
}

/// There are no handlers of signals.
pub(crate) mod moment {
    #[derive(Debug)]
    pub(crate) struct Moment;

    impl Moment {
        pub(crate) fn begin() -> Self {
            Self
        }

        pub(crate) fn begin_if(_: bool) -> Self {
            Self
        }
    }
}

/// Nobody computes for long here.
pub(crate) fn yield_if_due<I>(_: &Header, _: I) {}

/// The one event loop is always attended to.
pub(crate) fn attendant(_: Option<u32>) -> Option<u32> {
    Some(0)
}

pub(crate) mod context {
    use super::Green;

    pub(crate) mod floating {
        #[derive(Clone, Copy, Debug)]
        pub(crate) struct Floating;

        impl Floating {
            pub(crate) fn first() -> Self {
                Self
            }

            pub(crate) fn to_inherit() -> Option<Self> {
                None
            }

            pub(crate) fn take() -> Self {
                Self
            }

            pub(crate) fn put_back(self) {}
        }
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Switch {
        Parked,
    }

    #[derive(Debug)]
    pub(crate) struct Context(pub(super) *const Green);

    impl Context {
        /// What the worker does when its task has switched off.
        ///
        /// # Safety
        ///
        /// None is needed here.
        pub(crate) unsafe fn suspend(&self, _: Switch) {
            // SAFETY: the thread itself asks.
            let green = unsafe { &*self.0 };
            green.has_right.set(false);
            if green.header.state.commit() {
                loom::thread::park();
                assert!(green.has_right.get(), "runs without the right to");
            } else {
                green.has_right.set(true);
            }
        }
    }
}

pub(crate) mod stack {
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Class;
}

pub(crate) mod current {
    use std::cell::Cell;
    use std::ptr;

    use crate::task::Header;

    loom::thread_local! {
        static GREEN: Cell<*const Header> = Cell::new(ptr::null());
    }

    pub(crate) fn green<'a>() -> Option<&'a Header> {
        // SAFETY: the header lies below the caller on its stack.
        GREEN.with(|green| unsafe { green.get().as_ref() })
    }

    pub(super) fn set_green(task: *const Header) {
        GREEN.with(|green| green.set(task));
    }
}

/// Time: a model's threads say what it is.
pub(crate) mod clock {
    use std::sync::OnceLock;
    use std::time::{Duration, Instant};

    use loom::sync::atomic::{AtomicU64, Ordering};

    loom::lazy_static! {
        static ref NOW_NS: AtomicU64 = AtomicU64::new(0);
    }

    /// The instant that `ns` counts from, whatever it is.
    fn base() -> Instant {
        static BASE: OnceLock<Instant> = OnceLock::new();
        *BASE.get_or_init(Instant::now)
    }

    pub(crate) fn at(ns: u64) -> Instant {
        base() + Duration::from_nanos(ns)
    }

    pub(crate) fn ns(instant: Instant) -> u64 {
        instant.duration_since(base()).as_nanos() as u64
    }

    pub(crate) fn now_ns() -> u64 {
        NOW_NS.load(Ordering::Relaxed)
    }

    pub(crate) fn set_ns(now: u64) {
        NOW_NS.store(now, Ordering::Relaxed);
    }

    pub(crate) const BEHIND_NS: u64 = 0;

    /// Whoever asks looks.
    pub(crate) struct LastLook;

    impl LastLook {
        pub(crate) fn after(&self, time_ns: u64) -> u64 {
            now_ns().saturating_add(time_ns)
        }
    }
}

pub(crate) mod sys {
    /// There is no cache here.
    pub(crate) mod cache {
        pub(crate) const LINE: usize = 64;

        pub(crate) fn prefetch<T>(_: *const T, _: usize) {}
    }

    pub(crate) mod thread {
        pub(crate) use loom::thread::yield_now;
    }

    /// Where the kernel does not help: loom sees every thread.
    pub(crate) mod barrier {
        use crate::primitive::{Ordering, fence};

        pub(crate) fn light() {
            fence(Ordering::SeqCst);
        }

        pub(crate) fn heavy() -> bool {
            fence(Ordering::SeqCst);
            true
        }
    }

    pub(crate) mod socket {
        use std::os::fd::BorrowedFd;
        use std::time::Duration;

        pub(crate) fn is_stream(_: BorrowedFd<'_>) -> bool {
            true
        }

        pub(crate) fn has_mark(_: BorrowedFd<'_>) -> bool {
            false
        }

        pub(crate) fn inherits_nonblocking(_: BorrowedFd<'_>, _: BorrowedFd<'_>) -> bool {
            false
        }

        /// Nobody has set any.
        pub(crate) fn timeouts(_: BorrowedFd<'_>) -> [Option<Duration>; 2] {
            [None; 2]
        }
    }

    /// Time does not pass here: what is raised for later comes at any time.
    pub(crate) mod alert {
        use std::time::Duration;

        use super::futex;
        use crate::primitive::{AtomicU32, Ordering};

        pub(crate) struct Alert(AtomicU32);

        impl Alert {
            pub(crate) fn new() -> Self {
                Self(AtomicU32::new(0))
            }

            pub(crate) fn open(&self) {}

            pub(crate) fn wait(&self, timeout: Option<Duration>) {
                while self.0.swap(0, Ordering::SeqCst) == 0 {
                    futex::wait(&self.0, 0, timeout);
                }
            }

            pub(crate) fn raise(&self, _: Duration) {
                self.0.store(1, Ordering::SeqCst);
                futex::wake(&self.0, 1);
            }

            /// In time, if the waiter has not seen it yet.
            pub(crate) fn withdraw(&self) {
                self.0.store(0, Ordering::SeqCst);
            }
        }
    }

    pub(crate) mod futex {
        use std::sync::Mutex;
        use std::time::Duration;

        use loom::thread::{self, Thread};

        use crate::primitive::{AtomicU32, Ordering};

        loom::lazy_static! {
            /// Who waits, and where. No switch happens under the lock, so it orders nothing that
            /// loom could see.
            static ref WAITERS: Mutex<Vec<(usize, Thread)>> = Mutex::new(Vec::new());
            /// Makes loom try both orders of a wait and a wake.
            static ref TURN: AtomicU32 = AtomicU32::new(0);
        }

        /// Time does not pass here: who would wait for it alone waits for ever.
        pub(crate) fn wait(word: &AtomicU32, expected: u32, _: Option<Duration>) -> bool {
            TURN.fetch_add(1, Ordering::Relaxed);
            // The kernel looks at the word under its own lock, and sees the newest value: so does an
            // exchange, here one that fails. From here to the park nobody else runs.
            let newest =
                word.compare_exchange(!expected, !expected, Ordering::Relaxed, Ordering::Relaxed);
            if newest == Err(expected) {
                WAITERS.lock().unwrap().push((std::ptr::from_ref(word).addr(), thread::current()));
                thread::park();
            }
            // There are no signals here.
            false
        }

        pub(crate) fn wake(word: *const AtomicU32, n: u32) {
            TURN.fetch_add(1, Ordering::Relaxed);
            let mut waiters = WAITERS.lock().unwrap();
            for _ in 0..n {
                let Some(at) = waiters.iter().position(|(at, _)| *at == word.addr()) else { break };
                waiters.remove(at).1.unpark();
            }
        }
    }

    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Event {
        pub(crate) token: u64,
        pub(crate) readable: bool,
        pub(crate) writable: bool,
        pub(crate) read_closed: bool,
        pub(crate) write_closed: bool,
        pub(crate) unsteady: bool,
    }
}

pub(crate) mod blocking {
    pub(crate) fn blocking<T>(f: impl FnOnce() -> T) -> T {
        f()
    }
}

/// The kernel's side of the one descriptor that there is: something comes, and is taken; the event
/// loop hears of it by edges.
pub(crate) mod reactor {
    use std::io;
    use std::os::fd::{BorrowedFd, RawFd};

    use loom::sync::{Condvar, Mutex};

    use crate::clock::LastLook;
    use crate::reactor::{Entry, Origin};
    use crate::sys::Event;
    use crate::task::list::List;
    use crate::timer::{self, Bell};

    #[derive(Default)]
    struct File {
        /// How much there is to take.
        n: u32,
        token: Option<u64>,
        /// There is an edge to report.
        edge: bool,
        closed: bool,
    }

    loom::lazy_static! {
        static ref ENTRY: Entry = Entry::new();
        static ref BELL: Bell = Bell::new(0);
        static ref FILE: Mutex<File> = Mutex::new(File::default());
        static ref CHANGED: Condvar = Condvar::new();
    }

    fn change(f: impl FnOnce(&mut File)) {
        let mut file = FILE.lock().unwrap();
        f(&mut file);
        CHANGED.notify_one();
    }

    pub(crate) fn fd() -> BorrowedFd<'static> {
        // SAFETY: nobody closes it, or uses it.
        unsafe { BorrowedFd::borrow_raw(0) }
    }

    /// The one entry, whatever the number.
    pub(crate) fn entry<N>(_: N) -> Option<&'static Entry> {
        Some(&ENTRY)
    }

    pub(crate) fn entry_or_disowned<N>(number: N) -> Option<&'static Entry> {
        entry(number)
    }

    pub(crate) fn bell<N>(_: N) -> Option<&'static Bell> {
        Some(&BELL)
    }

    pub(crate) fn looked(_: usize) -> &'static LastLook {
        &LastLook
    }

    /// A core tells whose deadlines have passed.
    pub(crate) fn ring(now_ns: u64, due: &mut List) {
        let mut bells = [None];
        if timer::shard(0).ring(now_ns, due) && timer::shard(0).rung(now_ns, &mut bells) != 0 {
            ENTRY.ring(&BELL, now_ns, due);
        }
    }

    pub(crate) fn register(_: usize, _: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        change(|file| {
            file.token = Some(token);
            file.edge = file.n > 0;
        });
        Ok(())
    }

    pub(crate) fn deregister(_: usize, _: Option<BorrowedFd<'_>>) {}

    /// Nobody forks here.
    pub(crate) fn may_be_copied() -> bool {
        false
    }

    /// Nor is memory short.
    pub(crate) fn note_stray() {}

    pub(crate) fn others(_: RawFd) -> Option<Vec<RawFd>> {
        None
    }

    pub(crate) fn on_refusal(_: usize, _: io::Error) -> io::Result<()> {
        unreachable!("the event loop takes whatever comes")
    }

    /// The process may have no more descriptors.
    pub(crate) mod heir {
        use std::os::fd::BorrowedFd;

        use crate::reactor::Entry;

        pub(crate) enum Heir {}

        pub(crate) fn keep(_: BorrowedFd<'_>, _: &Entry) -> Option<Heir> {
            None
        }

        impl Heir {
            pub(crate) fn new(_: u32) -> Option<Self> {
                None
            }

            pub(crate) fn share(&self, _: u32) -> u32 {
                match *self {}
            }

            pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
                match *self {}
            }
        }
    }

    /// Something comes.
    pub(crate) fn arrive() {
        change(|file| {
            file.n += 1;
            file.edge = file.token.is_some();
        });
    }

    /// The number means another file from now on, in which there is something for somebody else.
    pub(crate) fn replace() {
        ENTRY.detach(fd());
        change(|file| *file = File { n: 1, ..File::default() });
        ENTRY.attach(fd(), Origin::Fresh);
    }

    /// Takes at most this much of what there is.
    pub(crate) fn take(most: u32) -> io::Result<u32> {
        let mut file = FILE.lock().unwrap();
        let n = file.n.min(most);
        file.n -= n;
        if n == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(n) }
    }

    /// Nothing comes any more.
    pub(crate) fn close() {
        change(|file| file.closed = true);
    }

    /// The event loop, until the end.
    pub(crate) fn report_edges() {
        loop {
            let mut file = FILE.lock().unwrap();
            while !file.edge && !file.closed {
                file = CHANGED.wait(file).unwrap();
            }
            if file.closed {
                return;
            }
            file.edge = false;
            let token = file.token.expect("registered");
            drop(file);
            let event = Event {
                token,
                readable: true,
                writable: false,
                read_closed: false,
                write_closed: false,
                unsteady: false,
            };
            let mut ready = List::new();
            ENTRY.dispatch((token >> 32) as u32, event, &mut ready);
            for task in ready {
                task.schedule();
            }
        }
    }
}
