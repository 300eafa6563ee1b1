//! Green threads and OS threads at one object: nothing that it guards is lost, and nobody waits for ever.
#![cfg(all(
    target_os = "linux",
    target_env = "gnu",
    not(target_feature = "crt-static"),
    any(target_arch = "x86_64", target_arch = "aarch64")
))]

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use libc::{ETIMEDOUT, timespec};
use sylvan_posix::{barrier, cond, mutex, rwlock, semaphore, spin};

const N_THREADS: usize = 4;
const N: u32 = 4_000;

/// Something of libc's and what it guards.
struct Shared<T>(UnsafeCell<T>);

// SAFETY: the tests are about that.
unsafe impl<T> Sync for Shared<T> {}

impl<T> Shared<T> {
    const fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    fn get(&self) -> *mut T {
        self.0.get()
    }
}

/// Runs `f` on as many green threads as OS threads, which it is given the number of. Green threads that share
/// libc's record of a thread with others have no locks of libc's: then on OS threads alone.
fn on_all(f: impl Fn(usize) + Send + Sync + Copy + 'static) {
    let is_own = sylvan::tls_mode().unwrap() == sylvan::TlsMode::Own;
    let (n_green, step) = if is_own { (N_THREADS, 2) } else { (0, 1) };
    let green: Vec<_> = (0..n_green).map(|i| sylvan::spawn(move || f(2 * i))).collect();
    let os = (0..2 * N_THREADS - n_green).map(|i| thread::spawn(move || f(step * i + step - 1)));
    let os: Vec<_> = os.collect();
    for thread in green {
        thread.join().unwrap();
    }
    for thread in os {
        thread.join().unwrap();
    }
}

fn in_ms(ms: u64) -> timespec {
    let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + Duration::from_millis(ms);
    timespec { tv_sec: at.as_secs().cast_signed(), tv_nsec: at.subsec_nanos().into() }
}

#[test]
fn a_mutex_is_had_by_one() {
    static MUTEX: Shared<libc::pthread_mutex_t> = Shared::new(libc::PTHREAD_MUTEX_INITIALIZER);
    static COUNT: Shared<u32> = Shared::new(0);
    on_all(|who| {
        for i in 0..N {
            // SAFETY: a mutex, and what it guards.
            unsafe {
                let (brief, long) = (in_ms(1), in_ms(60_000));
                match (i as usize + who) % 4 {
                    0 if mutex::pthread_mutex_timedlock(MUTEX.get(), &brief) == 0 => {}
                    1 if mutex::pthread_mutex_trylock(MUTEX.get()) == 0 => {}
                    2 => assert_eq!(mutex::pthread_mutex_timedlock(MUTEX.get(), &long), 0),
                    _ => assert_eq!(mutex::pthread_mutex_lock(MUTEX.get()), 0),
                }
                *COUNT.get() += 1;
                if i % 64 == 0 {
                    sylvan::yield_now();
                }
                assert_eq!(mutex::pthread_mutex_unlock(MUTEX.get()), 0);
            }
        }
    });
    // SAFETY: nobody else is there.
    assert_eq!(unsafe { *COUNT.get() }, 2 * N_THREADS as u32 * N);
    // SAFETY: as above.
    assert_eq!(unsafe { libc::pthread_mutex_destroy(MUTEX.get()) }, 0);
}

#[test]
fn a_condition_loses_no_signal() {
    static MUTEX: Shared<libc::pthread_mutex_t> = Shared::new(libc::PTHREAD_MUTEX_INITIALIZER);
    static SOME: Shared<libc::pthread_cond_t> = Shared::new(libc::PTHREAD_COND_INITIALIZER);
    static ROOM: Shared<libc::pthread_cond_t> = Shared::new(libc::PTHREAD_COND_INITIALIZER);
    static LEVEL: Shared<u32> = Shared::new(0);
    on_all(|who| {
        // Two of four put in, of the green ones as of the others.
        let puts = who / 2 % 2 == 0;
        let (mine, theirs) = if puts { (&ROOM, &SOME) } else { (&SOME, &ROOM) };
        for i in 0..N {
            // SAFETY: objects of libc's, and what they guard.
            unsafe {
                mutex::pthread_mutex_lock(MUTEX.get());
                while *LEVEL.get() == if puts { 3 } else { 0 } {
                    let late = in_ms(60_000);
                    let error = match i % 2 {
                        0 => cond::pthread_cond_wait(mine.get(), MUTEX.get()),
                        _ => cond::pthread_cond_timedwait(mine.get(), MUTEX.get(), &late),
                    };
                    assert_eq!(error, 0);
                }
                *LEVEL.get() = if puts { *LEVEL.get() + 1 } else { *LEVEL.get() - 1 };
                cond::pthread_cond_signal(theirs.get());
                mutex::pthread_mutex_unlock(MUTEX.get());
            }
        }
    });
    // SAFETY: nobody else is there.
    assert_eq!(unsafe { *LEVEL.get() }, 0);
    // SAFETY: as above.
    assert_eq!(unsafe { cond::pthread_cond_destroy(SOME.get()) }, 0);
}

/// Readers find what writers leave, by a lock of this kind.
fn mix(lock: &'static Shared<MaybeUninit<libc::pthread_rwlock_t>>, kind: libc::c_int) {
    static PAIR: [AtomicU32; 2] = [const { AtomicU32::new(0) }; 2];
    // SAFETY: objects that are made here.
    unsafe {
        let mut attributes = MaybeUninit::zeroed();
        libc::pthread_rwlockattr_init(attributes.as_mut_ptr());
        // The kind is the first word, which glibc's own function sets.
        attributes.as_mut_ptr().cast::<libc::c_int>().write(kind);
        assert_eq!(libc::pthread_rwlock_init(lock.get().cast(), attributes.as_ptr()), 0);
    }
    on_all(move |who| {
        let lock = lock.get().cast::<libc::pthread_rwlock_t>();
        for i in 0..N as usize {
            let (brief, long) = (in_ms(1), in_ms(60_000));
            // SAFETY: a lock.
            unsafe {
                let writes = (i + who) % 4 == 0;
                let (now, until): (unsafe extern "C" fn(_) -> _, unsafe extern "C" fn(_, _) -> _) =
                    if writes {
                        (rwlock::pthread_rwlock_wrlock, rwlock::pthread_rwlock_timedwrlock)
                    } else {
                        (rwlock::pthread_rwlock_rdlock, rwlock::pthread_rwlock_timedrdlock)
                    };
                match i % 3 {
                    0 => match until(lock, &brief) {
                        0 => {}
                        error => {
                            assert_eq!(error, ETIMEDOUT);
                            assert_eq!(now(lock), 0);
                        }
                    },
                    1 => assert_eq!(until(lock, &long), 0),
                    _ => assert_eq!(now(lock), 0),
                }
                if writes {
                    PAIR[0].fetch_add(1, Relaxed);
                }
                if i % 64 == 0 {
                    sylvan::yield_now();
                }
                if writes {
                    PAIR[1].fetch_add(1, Relaxed);
                }
                assert_eq!(PAIR[0].load(Relaxed), PAIR[1].load(Relaxed));
                assert_eq!(rwlock::pthread_rwlock_unlock(lock), 0);
            }
        }
    });
}

#[test]
fn a_reader_writer_lock_is_written_by_one() {
    static LOCKS: [Shared<MaybeUninit<libc::pthread_rwlock_t>>; 2] =
        [const { Shared::new(MaybeUninit::uninit()) }; 2];
    mix(&LOCKS[0], 0);
    mix(&LOCKS[1], 2);
}

#[test]
fn a_semaphore_gives_as_many_as_it_has() {
    static SEMAPHORE: Shared<MaybeUninit<libc::sem_t>> = Shared::new(MaybeUninit::uninit());
    static INSIDE: AtomicU32 = AtomicU32::new(0);
    let semaphore = || SEMAPHORE.get().cast::<libc::sem_t>();
    // SAFETY: it is made here.
    assert_eq!(unsafe { libc::sem_init(semaphore(), 0, 2) }, 0);
    on_all(move |who| {
        for i in 0..N as usize {
            // SAFETY: a semaphore.
            unsafe {
                let (brief, long) = (in_ms(1), in_ms(60_000));
                match (i + who) % 3 {
                    0 if semaphore::sem_timedwait(semaphore(), &brief) == 0 => {}
                    1 => assert_eq!(semaphore::sem_timedwait(semaphore(), &long), 0),
                    _ => assert_eq!(semaphore::sem_wait(semaphore()), 0),
                }
                assert!(INSIDE.fetch_add(1, Relaxed) < 2);
                if i % 64 == 0 {
                    sylvan::yield_now();
                }
                INSIDE.fetch_sub(1, Relaxed);
                assert_eq!(semaphore::sem_post(semaphore()), 0);
            }
        }
    });
}

#[test]
fn a_barrier_has_rounds_and_a_spin_lock_one_owner() {
    static BARRIER: Shared<MaybeUninit<libc::pthread_barrier_t>> =
        Shared::new(MaybeUninit::uninit());
    static SPIN: Shared<libc::pthread_spinlock_t> = Shared::new(0);
    static COUNT: Shared<u32> = Shared::new(0);
    const ROUNDS: u32 = 200;
    let all = 2 * N_THREADS as u32;
    let barrier = || BARRIER.get().cast::<libc::pthread_barrier_t>();
    // SAFETY: they are made here.
    unsafe {
        assert_eq!(libc::pthread_barrier_init(barrier(), std::ptr::null(), all), 0);
        assert_eq!(libc::pthread_spin_init(SPIN.get(), 0), 0);
    }
    on_all(move |_| {
        for round in 0..ROUNDS {
            // SAFETY: objects of libc's, and what they guard.
            unsafe {
                spin::pthread_spin_lock(SPIN.get());
                *COUNT.get() += 1;
                libc::pthread_spin_unlock(SPIN.get());
                barrier::pthread_barrier_wait(barrier());
                assert_eq!(*COUNT.get(), (round + 1) * all);
                barrier::pthread_barrier_wait(barrier());
            }
        }
    });
    // SAFETY: nobody else is there.
    assert_eq!(unsafe { barrier::pthread_barrier_destroy(barrier()) }, 0);
}
