//! The locks of the mirror under loom: all interleavings of a few threads.
//!
//! The sources of the raw mutex and the raw readers-writer lock are compiled here a second time, with
//! loom's atomics and queues of turns behind `primitive`. What a lock guards is a cell in which loom
//! finds each access that is not alone or not ordered. A wait that nobody ends is a deadlock, which
//! loom reports.
//!
//! Time is a thread of a model: it says, at any moment, that those who wait have waited for too long.

/// As `std-shim`'s module of this name, for its raw locks.
#[path = "."]
mod sync {
    pub(crate) mod primitive {
        use std::cell::RefCell;
        use std::sync::atomic::Ordering;
        use std::sync::{LazyLock, OnceLock};
        use std::time::{Duration, Instant};

        use loom::sync::atomic::AtomicBool;
        use loom::sync::atomic::Ordering::Relaxed;
        use loom::sync::{Condvar, Mutex};

        /// Loom's, made at its first use: theirs is no `const fn`.
        pub(crate) struct AtomicU32 {
            first: u32,
            atomic: OnceLock<loom::sync::atomic::AtomicU32>,
        }

        impl AtomicU32 {
            pub(crate) const fn new(first: u32) -> Self {
                Self { first, atomic: OnceLock::new() }
            }

            pub(super) fn get(&self) -> &loom::sync::atomic::AtomicU32 {
                self.atomic.get_or_init(|| loom::sync::atomic::AtomicU32::new(self.first))
            }

            pub(crate) fn load(&self, order: Ordering) -> u32 {
                self.get().load(order)
            }

            pub(crate) fn swap(&self, value: u32, order: Ordering) -> u32 {
                self.get().swap(value, order)
            }

            pub(crate) fn fetch_add(&self, value: u32, order: Ordering) -> u32 {
                self.get().fetch_add(value, order)
            }

            pub(crate) fn fetch_sub(&self, value: u32, order: Ordering) -> u32 {
                self.get().fetch_sub(value, order)
            }

            pub(crate) fn fetch_update(
                &self,
                success: Ordering,
                failure: Ordering,
                f: impl FnMut(u32) -> Option<u32>,
            ) -> Result<u32, u32> {
                self.get().fetch_update(success, failure, f)
            }

            pub(crate) fn compare_exchange(
                &self,
                expected: u32,
                value: u32,
                success: Ordering,
                failure: Ordering,
            ) -> Result<u32, u32> {
                self.get().compare_exchange(expected, value, success, failure)
            }

            pub(crate) fn compare_exchange_weak(
                &self,
                expected: u32,
                value: u32,
                success: Ordering,
                failure: Ordering,
            ) -> Result<u32, u32> {
                self.compare_exchange(expected, value, success, failure)
            }
        }

        #[derive(Clone, Copy, PartialEq)]
        pub(crate) enum Turn {
            Changed,
            Woken,
            Granted,
        }

        pub(crate) enum WaitReason {
            Mutex,
            RwLock,
        }

        /// Who waits, in turn: the word, since when, and a place for what he is told.
        struct Waiter {
            address: usize,
            since: Instant,
            number: usize,
        }

        #[derive(Default)]
        struct Queue {
            waiters: Vec<Waiter>,
            told: Vec<(usize, Turn)>,
            n: usize,
        }

        /// Later than any model.
        static END: LazyLock<Instant> =
            LazyLock::new(|| Instant::now() + Duration::from_secs(1 << 20));

        loom::lazy_static! {
            static ref QUEUE: Mutex<Queue> = Mutex::new(Queue::default());
            static ref TOLD: Condvar = Condvar::new();
            static ref LATE: AtomicBool = AtomicBool::new(false);
        }

        /// From now on whoever waits has waited for too long; or not.
        pub(crate) fn set_late(late: bool) {
            LATE.store(late, Relaxed);
        }

        thread_local! {
            /// Whether owners are noted, and the locks that somebody has noted to have. Loom has all threads of a
            /// model on one.
            static NOTED: RefCell<Option<Vec<usize>>> = const { RefCell::new(None) };
        }

        /// From now on owners are noted.
        pub(crate) fn set_noted() {
            NOTED.set(Some(Vec::new()));
        }

        /// How many locks somebody has noted to have.
        pub(crate) fn n_noted() -> usize {
            NOTED.with_borrow(|noted| noted.as_ref().map_or(0, Vec::len))
        }

        pub(crate) fn is_pressed() -> bool {
            notes_owners()
        }

        pub(crate) fn step_aside() {}

        pub(crate) fn notes_owners() -> bool {
            NOTED.with_borrow(Option::is_some)
        }

        pub(crate) const WRITTEN: u32 = (1 << 30) - 1;

        pub(crate) fn note_owner(word: &AtomicU32) {
            NOTED.with_borrow_mut(|noted| {
                let Some(noted) = noted else { return };
                assert!(!noted.contains(&address(word)), "two have it");
                noted.push(address(word));
            });
        }

        pub(crate) fn forget_owner(word: &AtomicU32) {
            NOTED.with_borrow_mut(|noted| {
                if let Some(noted) = noted {
                    noted.retain(|it| *it != address(word));
                }
            });
        }

        pub(crate) fn n_parked() -> usize {
            QUEUE.lock().unwrap().waiters.len()
        }

        fn address(word: *const AtomicU32) -> usize {
            word.addr()
        }

        fn newest(word: &AtomicU32, expected: u32) -> bool {
            // Under the lock the newest value counts: that is what an exchange sees.
            word.compare_exchange(!expected, !expected, Relaxed, Relaxed) == Err(expected)
        }

        pub(crate) fn wait_turn(
            word: &AtomicU32,
            expected: u32,
            since: Instant,
            _: WaitReason,
        ) -> Turn {
            let mut queue = QUEUE.lock().unwrap();
            if !newest(word, expected) {
                return Turn::Changed;
            }
            queue.n += 1;
            let number = queue.n;
            let at = queue.waiters.iter().position(|waiter| waiter.since > since);
            let at = at.unwrap_or(queue.waiters.len());
            queue.waiters.insert(at, Waiter { address: address(word), since, number });
            loop {
                if let Some(at) = queue.told.iter().position(|told| told.0 == number) {
                    return queue.told.remove(at).1;
                }
                queue = TOLD.wait(queue).unwrap();
            }
        }

        fn tell(queue: &mut Queue, word: *const AtomicU32, n: usize, what: Turn) -> usize {
            for n_told in 0..n {
                let at = queue.waiters.iter().position(|waiter| waiter.address == address(word));
                let Some(at) = at else { return n_told };
                let number = queue.waiters.remove(at).number;
                queue.told.push((number, what));
            }
            n
        }

        fn count(queue: &Queue, word: *const AtomicU32) -> usize {
            queue.waiters.iter().filter(|waiter| waiter.address == address(word)).count()
        }

        pub(crate) fn wake(word: *const AtomicU32, n: usize) -> usize {
            let mut queue = QUEUE.lock().unwrap();
            let n = n.min(count(&queue, word));
            let n_told = tell(&mut queue, word, n, Turn::Woken);
            TOLD.notify_all();
            n_told
        }

        pub(crate) fn pass_on(word: &AtomicU32, free: u32, granted: u32) {
            let mut queue = QUEUE.lock().unwrap();
            if count(&queue, word) > 0 && LATE.load(Relaxed) {
                word.swap(granted, Ordering::Release);
                tell(&mut queue, word, 1, Turn::Granted);
            } else {
                word.swap(free, Ordering::Release);
                tell(&mut queue, word, 1, Turn::Woken);
            }
            TOLD.notify_all();
        }

        pub(crate) fn overdue(word: *const AtomicU32) -> Option<Duration> {
            let queue = QUEUE.lock().unwrap();
            let first = queue.waiters.iter().find(|waiter| waiter.address == address(word))?;
            // Who came first has waited longest: up to one moment, so that no look takes part in it.
            LATE.load(Relaxed).then(|| *END - first.since)
        }

        pub(crate) fn grant(word: *const AtomicU32, n: usize, settle: &dyn Fn(usize)) -> usize {
            let mut queue = QUEUE.lock().unwrap();
            let n = n.min(count(&queue, word));
            settle(n);
            tell(&mut queue, word, n, Turn::Granted);
            TOLD.notify_all();
            n
        }
    }

    /// One look.
    pub(crate) mod spin {
        use super::primitive::AtomicU32;

        pub(crate) fn until(word: &AtomicU32, _: impl Fn(u32) -> bool) -> u32 {
            word.load(std::sync::atomic::Ordering::Relaxed)
        }
    }

    /// A lock by its source, whose functions are for the module around it.
    macro_rules! lock {
        ($module:ident, $path:literal, $raw:ident { $($function:ident -> $type:ty),* $(,)? } $($unlock:ident),*) => {
            #[path = "."]
            pub(crate) mod $module {
                use super::primitive::AtomicU32;

                #[path = $path]
                mod raw;

                pub(crate) struct Lock(raw::$raw);

                impl Lock {
                    pub(crate) fn new() -> Self {
                        let lock = Self(raw::$raw::new());
                        // Loom is to know the words before there is another thread.
                        let (first, size) = ((&raw const lock).cast::<AtomicU32>(), size_of::<Self>());
                        for n in 0..size / size_of::<AtomicU32>() {
                            // SAFETY: a raw lock is made of words alone.
                            unsafe { (*first.add(n)).get() };
                        }
                        lock
                    }

                    $(pub(crate) fn $function(&self) -> $type {
                        self.0.$function()
                    })*

                    $(pub(crate) unsafe fn $unlock(&self) {
                        // SAFETY: as the caller promises.
                        unsafe { self.0.$unlock() }
                    })*
                }
            }
        };
    }

    lock!(mutex, "../../std-shim/src/sync/mutex/raw.rs", RawMutex {
        try_lock -> bool,
        lock -> (),
    } unlock);
    lock!(rwlock, "../../std-shim/src/sync/rwlock/raw.rs", RawRwLock {
        try_read -> bool,
        read -> (),
        try_write -> bool,
        write -> (),
    } read_unlock, write_unlock, downgrade);
}

use std::sync::Arc;

use loom::cell::UnsafeCell;
use loom::thread::{self, JoinHandle};

use sync::primitive::{n_noted, n_parked, set_late, set_noted};
use sync::{mutex, rwlock};

/// Runs `model` in all interleavings in which threads are interrupted `n_max` times at most,
/// besides those at which they have to wait.
fn check(n_max: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(n_max);
    builder.check(model);
}

/// A number behind a lock.
struct Guarded<L> {
    lock: L,
    n: UnsafeCell<usize>,
}

// SAFETY: the number is used by those who have the lock, which is what is tried; loom tells if not.
unsafe impl<L: Sync> Sync for Guarded<L> {}
// SAFETY: as above.
unsafe impl<L: Send> Send for Guarded<L> {}

impl<L> Guarded<L> {
    fn new(lock: L) -> Arc<Self> {
        Arc::new(Self { lock, n: UnsafeCell::new(0) })
    }

    /// For who has the lock alone.
    fn increment(&self) {
        // SAFETY: loom tells if it is not so.
        self.n.with_mut(|n| unsafe { *n += 1 });
    }

    /// For who has the lock, maybe with others.
    fn get(&self) -> usize {
        // SAFETY: as above.
        self.n.with(|n| unsafe { *n })
    }
}

fn new_mutex() -> Arc<Guarded<mutex::Lock>> {
    Guarded::new(mutex::Lock::new())
}

fn new_rwlock() -> Arc<Guarded<rwlock::Lock>> {
    Guarded::new(rwlock::Lock::new())
}

/// Does it so often, with the lock each time.
fn locks(mutex: &Arc<Guarded<mutex::Lock>>, times: usize) -> JoinHandle<()> {
    let mutex = Arc::clone(mutex);
    thread::spawn(move || {
        for _ in 0..times {
            mutex.lock.lock();
            mutex.increment();
            // SAFETY: it has just been locked.
            unsafe { mutex.lock.unlock() };
        }
    })
}

fn writes(rwlock: &Arc<Guarded<rwlock::Lock>>) -> JoinHandle<()> {
    let rwlock = Arc::clone(rwlock);
    thread::spawn(move || {
        rwlock.lock.write();
        rwlock.increment();
        // SAFETY: as above.
        unsafe { rwlock.lock.write_unlock() };
    })
}

fn reads(rwlock: &Arc<Guarded<rwlock::Lock>>) -> JoinHandle<()> {
    let rwlock = Arc::clone(rwlock);
    thread::spawn(move || {
        rwlock.lock.read();
        rwlock.get();
        // SAFETY: as above.
        unsafe { rwlock.lock.read_unlock() };
    })
}

fn downgrades(rwlock: &Arc<Guarded<rwlock::Lock>>) -> JoinHandle<()> {
    let rwlock = Arc::clone(rwlock);
    thread::spawn(move || {
        rwlock.lock.write();
        rwlock.increment();
        let n = rwlock.get();
        // SAFETY: it has just been locked for writing.
        unsafe { rwlock.lock.downgrade() };
        assert_eq!(rwlock.get(), n);
        // SAFETY: it has been locked for reading since.
        unsafe { rwlock.lock.read_unlock() };
    })
}

/// It is late, and later it is not any more.
fn time() -> JoinHandle<()> {
    thread::spawn(|| {
        set_late(true);
        set_late(false);
    })
}

fn join(threads: impl IntoIterator<Item = JoinHandle<()>>) {
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn a_mutex_is_had_by_one_and_by_all_in_the_end() {
    for late in [false, true] {
        check(2, move || {
            set_late(late);
            let mutex = new_mutex();
            join([locks(&mutex, 2), locks(&mutex, 1), locks(&mutex, 1)]);
            assert!(mutex.lock.try_lock());
            assert_eq!(mutex.get(), 4);
        });
    }
}

#[test]
fn a_mutex_is_handed_over_at_any_moment() {
    check(2, || {
        let mutex = new_mutex();
        join([locks(&mutex, 2), locks(&mutex, 2), time()]);
        assert!(mutex.lock.try_lock());
        assert_eq!(mutex.get(), 4);
    });
}

#[test]
fn nobody_comes_before_who_has_waited_for_too_long() {
    check(3, || {
        let mutex = new_mutex();
        mutex.lock.lock();
        let waiter = locks(&mutex, 1);
        let parked = n_parked() == 1;
        set_late(true);
        // SAFETY: it was locked above.
        unsafe { mutex.lock.unlock() };
        if parked {
            mutex.lock.lock();
            assert_eq!(mutex.get(), 1);
            // SAFETY: as above.
            unsafe { mutex.lock.unlock() };
        }
        join([waiter]);
    });
}

#[test]
fn writers_are_alone_and_all_get_in() {
    for late in [false, true] {
        check(2, move || {
            set_late(late);
            let rwlock = new_rwlock();
            join([writes(&rwlock), writes(&rwlock), writes(&rwlock)]);
            assert!(rwlock.lock.try_write());
            assert_eq!(rwlock.get(), 3);
        });
    }
}

#[test]
fn readers_and_writers_all_get_in() {
    for late in [false, true] {
        check(2, move || {
            set_late(late);
            let rwlock = new_rwlock();
            join([reads(&rwlock), writes(&rwlock), reads(&rwlock)]);
            assert!(rwlock.lock.try_write());
            assert_eq!(rwlock.get(), 1);
        });
        check(2, move || {
            set_late(late);
            let rwlock = new_rwlock();
            join([reads(&rwlock), writes(&rwlock), writes(&rwlock)]);
            assert!(rwlock.lock.try_write());
            assert_eq!(rwlock.get(), 2);
        });
    }
}

#[test]
fn who_downgrades_is_joined_by_readers_alone() {
    for late in [false, true] {
        check(2, move || {
            set_late(late);
            let rwlock = new_rwlock();
            join([downgrades(&rwlock), writes(&rwlock), reads(&rwlock)]);
            assert!(rwlock.lock.try_write());
            assert_eq!(rwlock.get(), 2);
        });
    }
}

#[test]
fn a_readers_writer_lock_is_handed_over_at_any_moment() {
    for other in [reads, writes, downgrades] {
        check(2, move || {
            let rwlock = new_rwlock();
            join([other(&rwlock), writes(&rwlock), time()]);
            assert!(rwlock.lock.try_write());
        });
    }
}

#[test]
fn no_newcomer_goes_before_a_writer_or_reader_that_has_waited_for_too_long() {
    check(2, || {
        let rwlock = new_rwlock();
        rwlock.lock.write();
        let writer = writes(&rwlock);
        let parked = n_parked() == 1;
        set_late(true);
        // SAFETY: it was locked above.
        unsafe { rwlock.lock.write_unlock() };
        if parked {
            assert!(!rwlock.lock.try_write() || rwlock.get() == 1);
        }
        join([writer]);
    });
    check(2, || {
        let rwlock = new_rwlock();
        rwlock.lock.write();
        let reader = reads(&rwlock);
        let parked = n_parked() == 1;
        set_late(true);
        // SAFETY: as above.
        unsafe { rwlock.lock.write_unlock() };
        if parked {
            // It is in, or was.
            assert!(rwlock.lock.try_read());
            // SAFETY: it has just been locked.
            unsafe { rwlock.lock.read_unlock() };
        }
        join([reader]);
    });
}

/// Who has the lock has noted it, and nobody else has; but for readers, who note nothing.
#[test]
fn a_note_is_taken_back_before_anybody_else_has_the_mutex() {
    check(2, || {
        set_noted();
        let mutex = new_mutex();
        let (theirs, other) = (Arc::clone(&mutex), locks(&mutex, 1));
        let tries = thread::spawn(move || {
            if theirs.lock.try_lock() {
                assert_eq!(n_noted(), 1);
                // SAFETY: it has just been locked.
                unsafe { theirs.lock.unlock() };
            }
        });
        mutex.lock.lock();
        assert_eq!(n_noted(), 1);
        // SAFETY: as above.
        unsafe { mutex.lock.unlock() };
        join([other, tries]);
        assert_eq!(n_noted(), 0);
        assert!(mutex.lock.try_lock());
        assert_eq!((mutex.get(), n_noted()), (1, 1));
    });
}

#[test]
fn a_note_is_taken_back_before_anybody_else_has_the_readers_writer_lock() {
    check(2, || {
        set_noted();
        let rwlock = new_rwlock();
        let theirs = Arc::clone(&rwlock);
        let tries = thread::spawn(move || {
            if theirs.lock.try_read() {
                assert_eq!(n_noted(), 0);
                // SAFETY: it has just been locked for reading.
                unsafe { theirs.lock.read_unlock() };
            }
        });
        let writer = writes(&rwlock);
        rwlock.lock.write();
        assert_eq!(n_noted(), 1);
        // SAFETY: it has just been locked for writing.
        unsafe { rwlock.lock.downgrade() };
        assert_eq!(n_noted(), 0);
        // SAFETY: it has been locked for reading since.
        unsafe { rwlock.lock.read_unlock() };
        join([tries, writer]);
        assert_eq!(n_noted(), 0);
        assert!(rwlock.lock.try_write());
        assert_eq!((rwlock.get(), n_noted()), (1, 1));
    });
}
