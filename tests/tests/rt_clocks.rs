//! A thread's processor time is its own, wherever it runs.

use std::mem;
use std::time::Duration;

/// The processor time of the calling thread.
fn mine() -> Duration {
    // SAFETY: writes a time.
    let time = unsafe {
        let mut time: libc::timespec = mem::zeroed();
        assert_eq!(libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time), 0);
        time
    };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// The same, as the kernel's account of resources has it.
fn mine_as_used() -> Duration {
    // SAFETY: writes an account.
    let usage = unsafe {
        let mut usage: libc::rusage = mem::zeroed();
        assert_eq!(libc::getrusage(libc::RUSAGE_THREAD, &mut usage), 0);
        usage
    };
    let of = |time: libc::timeval| Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1_000);
    of(usage.ru_utime) + of(usage.ru_stime)
}

/// The same, by the clock that pthreads know of the thread.
fn mine_by_number() -> Duration {
    // SAFETY: the calling thread, a number and a time.
    let time = unsafe {
        let mut clock = 0;
        assert_eq!(libc::pthread_getcpuclockid(libc::pthread_self(), &mut clock), 0);
        let mut time: libc::timespec = mem::zeroed();
        assert_eq!(libc::clock_gettime(clock, &mut time), 0);
        time
    };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

tests::on_std_and_in_each_mode! {
    items {
        use std::fs;
        use std::thread;
        use std::time::{Duration, Instant};

        use super::{mine, mine_as_used, mine_by_number};

        /// Computes until the thread has used so much of a processor, by its own clock.
        fn use_up(time: Duration) {
            let begin = mine();
            while mine() - begin < time {
                ::std::hint::spin_loop();
            }
        }
    }

    fn who_sleeps_uses_nothing_beside_those_who_compute(process) {
        process.passes(|| {
            let threads: Vec<_> = (0..8)
                .map(|n| thread::spawn(move || {
                    let computes = n % 2 == 1;
                    let begin = mine();
                    let (mut last, mut last_used) = (begin, mine_as_used());
                    for round in 0..40 {
                        if computes {
                            use_up(Duration::from_millis(1));
                            thread::yield_now();
                        } else if round % 4 == 0 {
                            drop(fs::read("/proc/self/stat").unwrap());
                        } else {
                            thread::sleep(Duration::from_millis(2));
                        }
                        let now = mine();
                        assert!(now >= last, "thread {n}: {now:?} after {last:?}");
                        let used = mine_as_used();
                        // It goes by microseconds, or by the scheduler's ticks.
                        assert!(used + Duration::from_millis(10) >= last_used);
                        (last, last_used) = (now, used);
                    }
                    let used = mine() - begin;
                    if computes {
                        assert!(used >= Duration::from_millis(40), "thread {n}: {used:?}");
                    } else {
                        assert!(used < Duration::from_millis(20), "thread {n}: {used:?}");
                    }
                }))
                .collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        });
    }

    fn a_thread_that_computes_for_long_is_counted_all_the_time(process) {
        process.passes(|| {
            let threads: Vec<_> = (0..3)
                .map(|_| thread::spawn(|| {
                    let (begin, wall) = (mine(), Instant::now());
                    // Long enough to lose its core, more than once.
                    for _ in 0..3 {
                        use_up(Duration::from_millis(25));
                        thread::sleep(Duration::from_millis(1));
                    }
                    let used = mine() - begin;
                    assert!(used >= Duration::from_millis(75), "{used:?}");
                    assert!(used <= wall.elapsed(), "{used:?}");
                    assert!(mine_by_number() - begin >= used);
                }))
                .collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        });
    }

    fn a_thread_that_takes_its_os_thread_for_itself_goes_on_counting(process) {
        process.passes(|| {
            // A worker that has used little is to have used less than the thread by then.
            let asks = thread::spawn(|| {
                use_up(Duration::from_millis(30));
                let before = [mine(), mine_as_used(), mine_by_number()];
                for _ in 0..3 {
                    thread::sleep(Duration::from_millis(1));
                }
                let _ = sylvan::thread::bind();
                let after = [mine(), mine_as_used(), mine_by_number()];
                // The account has microseconds.
                let moment = Duration::from_micros(1);
                assert!(before.into_iter().zip(after).all(|(before, after)| after + moment >= before));
                assert!(after.into_iter().all(|after| after < before[0] + Duration::from_millis(20)));
            });
            asks.join().unwrap();
        });
    }

    fn other_clocks_go_on(process) {
        process.passes(|| {
            let thread = thread::spawn(|| {
                mine();
                let begin = Instant::now();
                thread::sleep(Duration::from_millis(20));
                assert!(begin.elapsed() >= Duration::from_millis(20));
                // SAFETY: a time, or none.
                unsafe {
                    let mut time: libc::timespec = ::std::mem::zeroed();
                    assert_eq!(libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time), 0);
                    assert_eq!(libc::clock_gettime(1_000, &mut time), -1);
                    assert_eq!(*libc::__errno_location(), libc::EINVAL);
                }
            });
            thread.join().unwrap();
        });
    }
}
