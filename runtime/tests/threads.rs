//! Threads: start, end, results, panics, waiting for each other.
#![allow(clippy::disallowed_methods, reason = "the tests block OS threads on purpose")]

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::time::{Duration, Instant};

use sylvan::{Wait, WaitReason, wait, wake};

#[test]
fn join_returns_what_the_thread_returned() {
    assert_eq!(sylvan::spawn(|| 6 * 7).join().unwrap(), 42);
}

#[test]
fn join_returns_what_the_thread_panicked_with() {
    let panic = sylvan::spawn(|| panic!("as told")).join().unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"as told"));
}

#[test]
fn ten_thousand_threads_at_once_all_end() {
    let go = Arc::new(AtomicU32::new(0));
    let threads: Vec<_> = (0..10_000)
        .map(|n| {
            let go = Arc::clone(&go);
            sylvan::spawn(move || {
                while go.load(Ordering::Acquire) == 0 {
                    wait(&go, 0, None, WaitReason::Futex);
                }
                n
            })
        })
        .collect();
    go.store(1, Ordering::Release);
    wake(&*go, usize::MAX);
    let sum: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert_eq!(sum, (0..10_000).sum());
}

#[test]
fn a_thread_that_yields_in_a_loop_lets_others_run() {
    let stop = Arc::new(AtomicU32::new(0));
    let yielders: Vec<_> = (0..4)
        .map(|_| {
            let stop = Arc::clone(&stop);
            sylvan::spawn(move || {
                while stop.load(Ordering::Relaxed) == 0 {
                    sylvan::yield_now();
                }
            })
        })
        .collect();
    let sleeper = sylvan::spawn(|| {
        let start = Instant::now();
        sylvan::sleep_until(start + Duration::from_millis(20));
        start.elapsed()
    });
    let slept = sleeper.join().unwrap();
    stop.store(1, Ordering::Relaxed);
    yielders.into_iter().for_each(|thread| thread.join().unwrap());
    assert!(slept >= Duration::from_millis(20) && slept < Duration::from_millis(500), "{slept:?}");
}

#[test]
fn a_wait_with_a_deadline_times_out_and_a_changed_word_does_not_wait() {
    sylvan::spawn(|| {
        let word = AtomicU32::new(1);
        assert_eq!(wait(&word, 0, None, WaitReason::Futex), Wait::Changed);
        let start = Instant::now();
        let deadline = Some(start + Duration::from_millis(10));
        assert_eq!(wait(&word, 1, deadline, WaitReason::Futex), Wait::TimedOut);
        assert!(start.elapsed() >= Duration::from_millis(10));
    })
    .join()
    .unwrap();
}

#[test]
fn wake_wakes_as_many_as_it_says_oldest_first() {
    let word = Arc::new(AtomicU32::new(0));
    let (about, woken) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let until = |count: &AtomicUsize, n| {
        while count.load(Ordering::SeqCst) < n {
            std::thread::yield_now();
        }
    };
    let threads: Vec<_> = (0..3)
        .map(|n| {
            let (word, said, woken) = (Arc::clone(&word), Arc::clone(&about), Arc::clone(&woken));
            let thread = sylvan::spawn(move || {
                said.store(n + 1, Ordering::SeqCst);
                wait(&word, 0, None, WaitReason::Futex);
                assert_eq!(woken.fetch_add(1, Ordering::SeqCst), n);
            });
            // However long it takes to start, it waits soon after it has said that it is about to.
            until(&about, n + 1);
            std::thread::sleep(Duration::from_millis(100));
            thread
        })
        .collect();
    for n in 1..=3 {
        assert_eq!(wake(&*word, 1), 1);
        until(&woken, n);
    }
    assert_eq!(wake(&*word, 1), 0);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn a_green_thread_and_an_os_thread_wake_each_other() {
    const ROUNDS: u32 = 1_000;
    let ball = Arc::new(AtomicU32::new(0));
    let play = |ball: Arc<AtomicU32>, mine: u32| {
        move || {
            for _ in 0..ROUNDS {
                while ball.load(Ordering::Acquire) % 2 != mine {
                    let now = ball.load(Ordering::Acquire);
                    if now % 2 != mine {
                        wait(&ball, now, None, WaitReason::Futex);
                    }
                }
                ball.fetch_add(1, Ordering::AcqRel);
                wake(&*ball, 1);
            }
        }
    };
    let green = sylvan::spawn(play(Arc::clone(&ball), 0));
    let os = std::thread::spawn(play(Arc::clone(&ball), 1));
    green.join().unwrap();
    os.join().unwrap();
    assert_eq!(ball.load(Ordering::Relaxed), 2 * ROUNDS);
}

#[test]
fn blocking_sections_hold_nobody_up() {
    const LIMIT: Duration = Duration::from_secs(60);
    let all_block = Arc::new(Barrier::new(17));
    let blocking: Vec<_> = (0..16)
        .map(|_| {
            let all_block = Arc::clone(&all_block);
            sylvan::spawn(move || sylvan::blocking(|| all_block.wait()))
        })
        .collect();
    let (ends, has_ended) = mpsc::channel();
    let other = sylvan::spawn(move || ends.send(()));
    has_ended.recv_timeout(LIMIT).expect("it is not held up");
    other.join().unwrap().unwrap();
    all_block.wait();
    blocking.into_iter().for_each(|thread| _ = thread.join().unwrap());
}

#[test]
fn every_thread_has_its_own_name_and_id() {
    let named = sylvan::Builder::new().name("tick".to_owned());
    let thread =
        named.spawn(|| (sylvan::current().name().map(str::to_owned), sylvan::current().id()));
    let thread = thread.unwrap();
    let id = thread.thread().id();
    assert_eq!(thread.join().unwrap(), (Some("tick".to_owned()), id));
    assert_ne!(id, sylvan::current().id());
}
