//! Limits: no memory for stacks, no descriptor or memory to start with, no further OS thread, and
//! an environment that makes no sense. Each is a clear error, and the process goes on.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std_shim::thread::{self, Builder};

use tests::counts::{address_space, descriptors, eventually, os_threads};
use tests::process::Process;

tests::in_each_mode!(
    a_spawn_without_memory_for_a_stack_is_an_error,
    a_start_without_memory_is_an_error_and_the_next_one_may_succeed,
    a_start_without_descriptors_is_an_error_and_the_next_one_may_succeed,
    a_variable_that_makes_no_sense_is_an_error_that_names_it,
    at_the_limit_of_os_threads_all_goes_on_after_one_warning,
    os_threads_that_are_not_needed_end,
);

/// Sets the limit of a resource for a time.
struct Limited(Resource, Rlimit);

impl Limited {
    fn to(resource: Resource, n: u64) -> Self {
        let before = getrlimit(resource);
        setrlimit(resource, Rlimit { current: Some(n), maximum: before.maximum }).unwrap();
        Self(resource, before)
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        setrlimit(self.0, Rlimit { current: self.1.current, maximum: self.1.maximum }).unwrap();
    }
}

fn a_spawn_without_memory_for_a_stack_is_an_error(process: &Process) {
    process.env("SYLVAN_WORKERS", "2").passes(|| {
        thread::spawn(|| ()).join().unwrap();
        let _limited = Limited::to(Resource::As, address_space() + (1 << 30));
        let go = Arc::new(AtomicBool::new(false));
        let crowd = || {
            let mut threads = Vec::new();
            let error = loop {
                let go = Arc::clone(&go);
                let waits = move || {
                    while !go.load(Acquire) {
                        thread::park();
                    }
                };
                match Builder::new().spawn(waits) {
                    Ok(thread) => threads.push(thread),
                    Err(error) => break error,
                }
            };
            assert_eq!(error.kind(), ErrorKind::WouldBlock, "{error}");
            go.store(true, Release);
            threads.iter().for_each(|thread| thread.thread().unpark());
            let n = threads.len();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            go.store(false, Release);
            (n, error)
        };
        let (n_first, error) = crowd();
        println!("{n_first} threads, then: {error}");
        assert!(n_first > 300);
        // Their stacks are there for others, but for some that each worker keeps.
        let (n_next, _) = crowd();
        assert!(n_next > n_first - 200, "{n_first} threads at first, {n_next} then");

        let too_large = Builder::new().stack_size(1 << 40).spawn(|| ()).unwrap_err();
        assert_eq!(too_large.kind(), ErrorKind::WouldBlock, "{too_large}");
        let panic = std::panic::catch_unwind(|| {
            thread::scope(|s| {
                drop(Builder::new().stack_size(1 << 40).spawn_scoped(s, || ()).unwrap())
            })
        });
        assert!(panic.is_err());
        thread::spawn(|| ()).join().unwrap();
    });
}

fn a_start_without_memory_is_an_error_and_the_next_one_may_succeed(process: &Process) {
    process.env("SYLVAN_WORKERS", "2").passes(|| {
        for room in [0, 64 << 10, 3 << 20, 5 << 20] {
            let limited = Limited::to(Resource::As, address_space() + room);
            let error = Builder::new().spawn(|| ()).expect_err("nothing to start with");
            drop(limited);
            assert_eq!(error.kind(), ErrorKind::WouldBlock, "with {} KiB: {error}", room >> 10);
        }
        assert_eq!(thread::spawn(|| 1).join().unwrap(), 1);
    });
}

fn a_start_without_descriptors_is_an_error_and_the_next_one_may_succeed(process: &Process) {
    // Each worker needs two.
    process.env("SYLVAN_WORKERS", "2").passes(|| {
        let before = descriptors();
        for room in [0, 1, 2, 3] {
            let mut free = (0..).filter(|number| !before.contains(number));
            let limited = Limited::to(Resource::Nofile, free.nth(room).unwrap() as u64);
            let error = Builder::new().spawn(|| ()).expect_err("nothing to start with");
            drop(limited);
            assert_eq!(error.raw_os_error(), Some(Errno::MFILE.raw_os_error()), "{error}");
            assert_eq!(descriptors(), before);
        }
        assert_eq!(thread::spawn(|| 1).join().unwrap(), 1);
    });
}

fn a_variable_that_makes_no_sense_is_an_error_that_names_it(process: &Process) {
    let senseless: [(_, &[_]); 4] = [
        ("SYLVAN_WORKERS", &["0", "-1", "two", "99999999999999999999", "1.5"]),
        ("SYLVAN_MAX_THREADS", &["0", "-1", "many"]),
        ("SYLVAN_TLS", &["none", "OWN"]),
        ("SYLVAN_WARN_BLOCKING", &["0ms", "-1s", "100", "ms", "1.5s", "1 s", "1h", "soon"]),
    ];
    for (name, values) in senseless {
        for value in values {
            let ended = process.env(name, *value).passes(|| {
                let error = Builder::new().spawn(|| ()).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::InvalidInput);
                println!("Builder::spawn: {error}");
                // Again, not something else the second time.
                assert_eq!(Builder::new().spawn(|| ()).unwrap_err().to_string(), error.to_string());
                let panic = std::panic::catch_unwind(|| drop(thread::spawn(|| ()))).unwrap_err();
                println!("spawn: {}", panic.downcast_ref::<String>().expect("a message"));
            });
            for verb in ["Builder::spawn:", "\nspawn:"] {
                let said = ended.said(verb);
                assert!(said.contains(name) && said.contains(&format!("`{value}`")), "{said}");
            }
        }
    }
}

fn at_the_limit_of_os_threads_all_goes_on_after_one_warning(process: &Process) {
    let process = process.env("SYLVAN_WORKERS", "2").env("SYLVAN_MAX_THREADS", "4");
    let ended = process.passes(|| {
        let before = os_threads();
        let n_most = Arc::new(AtomicUsize::new(0));
        let blocked: Vec<_> = (0..20)
            .map(|n| {
                let n_most = Arc::clone(&n_most);
                thread::spawn(move || {
                    for _ in 0..4 {
                        sylvan::blocking(|| std::thread::sleep(Duration::from_millis(5)));
                        n_most.fetch_max(os_threads(), Relaxed);
                    }
                    n
                })
            })
            .collect();
        let sum: usize = blocked.into_iter().map(|thread| thread.join().unwrap()).sum();
        assert_eq!(sum, (0..20).sum());
        // The monitor does not count: it blocks for nobody. A busy machine may make one of the calls last
        // so long that it does not count, either.
        let n_most = n_most.load(Relaxed);
        println!("{before} OS threads at first, {n_most} at most");
        assert!(n_most <= before + 4 + 1 + 4);
    });
    let warnings = ended.stderr.lines().filter(|line| line.contains("SYLVAN_MAX_THREADS"));
    assert_eq!(warnings.count(), 1, "{}", ended.stderr);
}

fn os_threads_that_are_not_needed_end(process: &Process) {
    process.env("SYLVAN_WORKERS", "2").passes(|| {
        thread::spawn(|| ()).join().unwrap();
        let before = os_threads();
        let fds = descriptors();
        let all_block = Arc::new((AtomicUsize::new(0), Barrier::new(31)));
        let blocked: Vec<_> = (0..30)
            .map(|_| {
                let all_block = Arc::clone(&all_block);
                let block = move || {
                    all_block.0.fetch_add(1, Relaxed);
                    all_block.1.wait();
                };
                thread::spawn(move || sylvan::blocking(block))
            })
            .collect();
        eventually("all block", || all_block.0.load(Relaxed) == 30);
        let during = os_threads();
        all_block.1.wait();
        blocked.into_iter().for_each(|thread| thread.join().unwrap());
        println!("{before} OS threads, {during} while 30 block");
        assert!(during >= before + 20);
        // Enough of them, but not more: each green thread needs one, and the cores theirs.
        assert!(during <= before + 32, "{during}");
        eventually("idle OS threads have ended", || os_threads() <= before + 2);
        assert_eq!(descriptors(), fds);
    });
}
