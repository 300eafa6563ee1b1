//! What several threads ask at a time is asked once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use std_shim::thread;

use sylvan::contract::SingleFlight;
use tests::counts::eventually;
use tests::process::Process;

tests::in_each_mode!(
    who_asks_the_same_gets_a_copy_and_who_asks_later_asks_anew,
    if_the_one_that_asks_panics_the_others_ask,
    in_a_child_of_a_fork_nothing_is_under_way,
);

type Flights = SingleFlight<u32, Arc<u32>>;

fn who_asks_the_same_gets_a_copy_and_who_asks_later_asks_anew(process: &Process) {
    static FLIGHTS: Flights = SingleFlight::new();
    static N_ASKED: AtomicU32 = AtomicU32::new(0);
    static IS_THERE: AtomicU32 = AtomicU32::new(0);
    process.env("SYLVAN_WORKERS", "1").passes(|| {
        let ask = |question| {
            move || {
                FLIGHTS.run(question, || {
                    let n = N_ASKED.fetch_add(1, SeqCst);
                    while IS_THERE.load(SeqCst) == 0 {
                        sylvan::wait(&IS_THERE, 0, None, sylvan::WaitReason::Futex);
                    }
                    Arc::new(question + n)
                })
            }
        };
        let same: Vec<_> = (0..10).map(|_| thread::spawn(ask(100))).collect();
        let other = thread::spawn(ask(200));
        // On one worker, in the order in which they were spawned.
        eventually("both are asked", || N_ASKED.load(SeqCst) == 2);
        thread::spawn(|| thread::sleep(Duration::from_millis(1))).join().unwrap();
        IS_THERE.store(1, SeqCst);
        sylvan::wake(&IS_THERE, usize::MAX);
        let same: Vec<_> = same.into_iter().map(|thread| thread.join().unwrap()).collect();
        assert!(same.iter().all(|answer| Arc::ptr_eq(answer, &same[0])));
        let other = other.join().unwrap();
        assert_eq!((*same[0], *other), (100, 201));
        // Of what was asked before.
        assert_eq!(*thread::spawn(ask(100)).join().unwrap(), 102);
        // Of OS threads each asks.
        assert_eq!(*ask(100)(), 103);
    });
}

fn if_the_one_that_asks_panics_the_others_ask(process: &Process) {
    static FLIGHTS: SingleFlight<(), usize> = SingleFlight::new();
    static N_ASKED: AtomicUsize = AtomicUsize::new(0);
    process.env("SYLVAN_WORKERS", "1").passes(|| {
        let ask = || {
            FLIGHTS.run((), || match N_ASKED.fetch_add(1, SeqCst) {
                0 => {
                    thread::sleep(Duration::from_millis(20));
                    panic!("no answer");
                }
                n => n,
            })
        };
        let threads: Vec<_> = (0..5).map(|_| thread::spawn(ask)).collect();
        let mut answers: Vec<_> = threads.into_iter().map(|thread| thread.join().ok()).collect();
        answers.sort_unstable();
        assert_eq!(answers, [None, Some(1), Some(2), Some(3), Some(4)]);
    });
}

fn in_a_child_of_a_fork_nothing_is_under_way(process: &Process) {
    static FLIGHTS: SingleFlight<(), u32> = SingleFlight::new();
    static IS_THERE: AtomicU32 = AtomicU32::new(0);
    static N_ASKED: AtomicU32 = AtomicU32::new(0);
    process.passes(|| {
        let asks = thread::spawn(|| {
            FLIGHTS.run((), || {
                N_ASKED.fetch_add(1, SeqCst);
                while IS_THERE.load(SeqCst) == 0 {
                    sylvan::wait(&IS_THERE, 0, None, sylvan::WaitReason::Futex);
                }
                1
            })
        });
        eventually("it asks", || N_ASKED.load(SeqCst) == 1);
        // SAFETY: the child does what any program does, and ends by `_exit`.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let answer = thread::spawn(|| FLIGHTS.run((), || 2)).join().unwrap_or(3);
            // SAFETY: as above.
            unsafe { libc::_exit(answer as i32) };
        }
        let mut status = 0;
        // SAFETY: the child is this process's.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert_eq!(libc::WEXITSTATUS(status), 2);
        IS_THERE.store(1, SeqCst);
        sylvan::wake(&IS_THERE, usize::MAX);
        assert_eq!(asks.join().unwrap(), 1);
    });
}
