//! How long a lock may be kept from a thread that waits for it.
//!
//! std's locks promise nothing: who unlocks and locks again may do so for as long as it likes. The
//! mirror's hand a lock over to a thread that has waited for longer than a millisecond. So the one that
//! gives it up, and wants it at once again, finds that the other has had it.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use std_shim::io::stdout;
use std_shim::sync::{Arc, Condvar, Mutex, RwLock, RwLockWriteGuard};
use std_shim::thread;

use tests::process::Process;

tests::in_each_mode!(
    who_has_waited_for_a_mutex_gets_it_next,
    who_was_notified_and_has_waited_gets_the_mutex_next,
    who_has_waited_for_standard_output_gets_it_next,
    a_writer_that_has_waited_is_next_after_a_writer,
    a_writer_that_has_waited_is_next_after_a_reader,
    readers_that_have_waited_are_next_after_a_writer,
    readers_that_have_waited_come_before_writers_that_come_later,
    those_who_have_waited_go_in_the_order_they_came,
    one_that_locks_all_the_time_keeps_nobody_out,
    one_that_writes_all_the_time_keeps_nobody_out,
    those_who_read_all_the_time_keep_no_writer_out,
);

/// Long enough for another thread to park, and to have waited for too long.
const A_WHILE: Duration = Duration::from_millis(15);

/// How a thread is started.
type Start = fn(Box<dyn FnOnce() + Send>) -> Box<dyn FnOnce()>;

fn start_green(main: Box<dyn FnOnce() + Send>) -> Box<dyn FnOnce()> {
    let thread = thread::spawn(main);
    Box::new(move || thread.join().unwrap())
}

fn start_os_thread(main: Box<dyn FnOnce() + Send>) -> Box<dyn FnOnce()> {
    let thread = std::thread::spawn(main);
    Box::new(move || thread.join().unwrap())
}

/// Starts one that is about to wait, and returns when it is.
fn come(start: Start, main: Box<dyn FnOnce() + Send>) -> Box<dyn FnOnce()> {
    let came = Arc::new(AtomicBool::new(false));
    let theirs = Arc::clone(&came);
    let join = start(Box::new(move || {
        theirs.store(true, Relaxed);
        main();
    }));
    while !came.load(Relaxed) {
        thread::sleep(Duration::from_millis(1));
    }
    join
}

const STARTS: [(&str, Start); 2] = [("green", start_green), ("OS", start_os_thread)];

/// Plays, between two threads of each kind, `round(start)` so often that it does not matter if the
/// machine holds up one of them now and then: half of them have to say that the one who has waited was
/// next, where none would by chance. `start` starts the one who waits.
fn is_next(process: &Process, round: impl Fn(Start) -> bool + Send + Copy + 'static) {
    const ROUNDS: usize = 12;
    for workers in ["1", "2"] {
        process.env("SYLVAN_WORKERS", workers).passes(|| {
            for (holder, start_holder) in STARTS {
                for (waiter, start_waiter) in STARTS {
                    let join = start_holder(Box::new(move || {
                        let n_next = (0..ROUNDS).filter(|_| round(start_waiter)).count();
                        println!("{holder} holder, {waiter} waiter: {n_next} of {ROUNDS}");
                        assert!(n_next * 2 >= ROUNDS);
                    }));
                    join();
                }
            }
        });
    }
}

fn who_has_waited_for_a_mutex_gets_it_next(process: &Process) {
    is_next(process, |start| {
        let mutex = Arc::new(Mutex::new(false));
        let guard = mutex.lock().unwrap();
        let theirs = Arc::clone(&mutex);
        let join = come(start, Box::new(move || *theirs.lock().unwrap() = true));
        thread::sleep(A_WHILE);
        drop(guard);
        let was_next = *mutex.lock().unwrap();
        join();
        was_next
    });
}

fn who_was_notified_and_has_waited_gets_the_mutex_next(process: &Process) {
    is_next(process, |start| {
        let pair = Arc::new((Mutex::new([false; 2]), Condvar::new()));
        let theirs = Arc::clone(&pair);
        let join = come(
            start,
            Box::new(move || {
                let mut now = theirs.0.lock().unwrap();
                while !now[0] {
                    now = theirs.1.wait(now).unwrap();
                }
                now[1] = true;
            }),
        );
        thread::sleep(A_WHILE);
        let mut now = pair.0.lock().unwrap();
        now[0] = true;
        pair.1.notify_one();
        // It is woken, and finds the mutex locked.
        thread::sleep(A_WHILE);
        drop(now);
        let was_next = pair.0.lock().unwrap()[1];
        join();
        was_next
    });
}

fn who_has_waited_for_standard_output_gets_it_next(process: &Process) {
    is_next(process, |start| {
        let had_it = Arc::new(AtomicBool::new(false));
        let guard = stdout().lock();
        let theirs = Arc::clone(&had_it);
        let join = come(
            start,
            Box::new(move || {
                let _guard = stdout().lock();
                theirs.store(true, Relaxed);
            }),
        );
        thread::sleep(A_WHILE);
        drop(guard);
        let guard = stdout().lock();
        let was_next = had_it.load(Relaxed);
        drop(guard);
        join();
        was_next
    });
}

fn a_writer_that_has_waited_is_next_after_a_writer(process: &Process) {
    is_next(process, |start| {
        let lock = Arc::new(RwLock::new(false));
        let guard = lock.write().unwrap();
        let theirs = Arc::clone(&lock);
        let join = come(start, Box::new(move || *theirs.write().unwrap() = true));
        thread::sleep(A_WHILE);
        drop(guard);
        let was_next = *lock.write().unwrap();
        join();
        was_next
    });
}

fn a_writer_that_has_waited_is_next_after_a_reader(process: &Process) {
    is_next(process, |start| {
        let lock = Arc::new(RwLock::new(false));
        let guard = lock.read().unwrap();
        let theirs = Arc::clone(&lock);
        let join = come(start, Box::new(move || *theirs.write().unwrap() = true));
        thread::sleep(A_WHILE);
        drop(guard);
        let was_next = *lock.read().unwrap();
        join();
        was_next
    });
}

fn readers_that_have_waited_are_next_after_a_writer(process: &Process) {
    is_next(process, |start| {
        let lock = Arc::new((RwLock::new(()), Mutex::new(0)));
        let guard = lock.0.write().unwrap();
        let joins = [(); 3].map(|()| {
            let theirs = Arc::clone(&lock);
            come(
                start,
                Box::new(move || {
                    let _guard = theirs.0.read().unwrap();
                    *theirs.1.lock().unwrap() += 1;
                }),
            )
        });
        thread::sleep(A_WHILE);
        drop(guard);
        let guard = lock.0.write().unwrap();
        let was_next = *lock.1.lock().unwrap() == 3;
        drop(guard);
        joins.into_iter().for_each(|join| join());
        was_next
    });
}

fn readers_that_have_waited_come_before_writers_that_come_later(process: &Process) {
    is_next(process, |start| {
        let lock = Arc::new((RwLock::new(0), Mutex::new(usize::MAX)));
        let guard = lock.0.write().unwrap();
        let theirs = Arc::clone(&lock);
        let reader = come(
            start,
            Box::new(move || {
                let guard = theirs.0.read().unwrap();
                *theirs.1.lock().unwrap() = *guard;
            }),
        );
        thread::sleep(A_WHILE);
        let writers = [(); 3].map(|()| {
            let theirs = Arc::clone(&lock);
            come(start, Box::new(move || *theirs.0.write().unwrap() += 1))
        });
        thread::sleep(A_WHILE);
        // Waiting writers go first elsewhere, and readers that wait where one downgrades.
        drop(guard);
        reader();
        writers.into_iter().for_each(|join| join());
        drop(RwLockWriteGuard::downgrade(lock.0.write().unwrap()));
        *lock.1.lock().unwrap() == 0
    });
}

fn those_who_have_waited_go_in_the_order_they_came(process: &Process) {
    is_next(process, |start| {
        let order = Arc::new(Mutex::new(Vec::new()));
        let guard = order.lock().unwrap();
        let joins: Vec<_> = (0..3)
            .map(|n| {
                let theirs = Arc::clone(&order);
                let join = come(
                    start,
                    Box::new(move || {
                        let mut order = theirs.lock().unwrap();
                        order.push(n);
                        compute(Duration::from_micros(400));
                    }),
                );
                thread::sleep(A_WHILE);
                join
            })
            .collect();
        drop(guard);
        joins.into_iter().for_each(|join| join());
        let order = order.lock().unwrap();
        order.iter().copied().eq(0..3)
    });
}

/// One thread of each kind does `hog` all the time, for so long each time, and another one of each kind
/// does `wait` now and then: no wait lasts for a second, where most take about a millisecond.
fn keeps_nobody_out<L: Default + Send + Sync + 'static>(
    process: &Process,
    hog: fn(&L, Duration),
    wait: fn(&L),
) {
    for workers in ["1", "2"] {
        process.env("SYLVAN_WORKERS", workers).passes(|| {
            for (hog_on, start_hog) in STARTS {
                for (wait_on, start_waiter) in STARTS {
                    for micros in [5, 300, 5_000] {
                        let hold = Duration::from_micros(micros);
                        let shared = Arc::new((L::default(), AtomicBool::new(false)));
                        let theirs = Arc::clone(&shared);
                        let hogs = start_hog(Box::new(move || {
                            while !theirs.1.load(Relaxed) {
                                hog(&theirs.0, hold);
                            }
                        }));
                        let theirs = Arc::clone(&shared);
                        let waiter = start_waiter(Box::new(move || {
                            let mut worst = Duration::ZERO;
                            for _ in 0..8 {
                                thread::sleep(Duration::from_millis(1));
                                let begin = Instant::now();
                                wait(&theirs.0);
                                worst = worst.max(begin.elapsed());
                            }
                            theirs.1.store(true, Relaxed);
                            println!("{hog_on} holds for {hold:?}, {wait_on} waits: {worst:?}");
                            assert!(worst < Duration::from_secs(1));
                        }));
                        waiter();
                        hogs();
                    }
                }
            }
        });
    }
}

fn compute(time: Duration) {
    let begin = Instant::now();
    while begin.elapsed() < time {}
}

fn one_that_locks_all_the_time_keeps_nobody_out(process: &Process) {
    keeps_nobody_out::<Mutex<()>>(
        process,
        |mutex, hold| {
            let _guard = mutex.lock().unwrap();
            compute(hold);
        },
        |mutex| drop(mutex.lock().unwrap()),
    );
}

fn one_that_writes_all_the_time_keeps_nobody_out(process: &Process) {
    keeps_nobody_out::<RwLock<()>>(
        process,
        |lock, hold| {
            let _guard = lock.write().unwrap();
            compute(hold);
        },
        |lock| {
            drop(lock.read().unwrap());
            drop(lock.write().unwrap());
        },
    );
}

fn those_who_read_all_the_time_keep_no_writer_out(process: &Process) {
    keeps_nobody_out::<RwLock<()>>(
        process,
        |lock, hold| {
            let _guard = lock.read().unwrap();
            compute(hold);
        },
        |lock| drop(lock.write().unwrap()),
    );
}
