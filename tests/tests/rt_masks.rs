//! Signal masks belong to threads, green ones included: inherited at spawn, changed by each for itself,
//! kept wherever it runs, handed on to its children; and a signal finds only threads that are open.

use std::mem::{self, MaybeUninit};
use std::panic::{self, AssertUnwindSafe};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use libc::{SIG_BLOCK, SIG_SETMASK, SIG_UNBLOCK, c_int, sigset_t};

fn set_of(signals: &[c_int]) -> sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: the first makes an empty set, to which the others add.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        signals.iter().for_each(|signal| assert_eq!(libc::sigaddset(set.as_mut_ptr(), *signal), 0));
        set.assume_init()
    }
}

/// Changes the mask of the calling thread; what it was.
fn change(how: c_int, signals: &[c_int]) -> sigset_t {
    let mut before = set_of(&[]);
    // SAFETY: both are sets.
    assert_eq!(unsafe { libc::pthread_sigmask(how, &set_of(signals), &mut before) }, 0);
    before
}

fn contains(set: &sigset_t, signal: c_int) -> bool {
    // SAFETY: a set.
    unsafe { libc::sigismember(set, signal) == 1 }
}

fn is_blocked(signal: c_int) -> bool {
    contains(&change(SIG_BLOCK, &[]), signal)
}

/// Sends a signal to this process.
fn kill(signal: c_int) {
    // SAFETY: sends a signal.
    assert_eq!(unsafe { libc::kill(libc::getpid(), signal) }, 0);
}

/// Waits for one of these, which the caller has blocked.
fn wait_for(signals: &[c_int]) -> c_int {
    let mut signal = 0;
    // SAFETY: a set, and a number.
    assert_eq!(unsafe { libc::sigwait(&set_of(signals), &mut signal) }, 0);
    signal
}

static N_HANDLED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count(_: c_int) {
    N_HANDLED.fetch_add(1, SeqCst);
}

/// From now on this signal is counted.
fn handle(signal: c_int) {
    // SAFETY: zero is a valid `sigaction`; the handler counts.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = count as *const () as libc::sighandler_t;
        assert_eq!(libc::sigaction(signal, &action, ptr::null_mut()), 0);
    }
}

/// Whether the process whose `status` that is has a signal blocked.
fn status_says_blocked(status: &str, signal: c_int) -> bool {
    let line = status.lines().find_map(|line| line.strip_prefix("SigBlk:")).expect("a mask");
    let mask = u64::from_str_radix(line.trim(), 16).expect("a number");
    mask & 1 << (signal - 1) != 0
}

/// Runs `scene` as the only thread of a process, whose other threads would be open to signals here: that
/// of the harness is.
fn alone(scene: impl FnOnce()) {
    // SAFETY: the runtime has not started, and this process waits.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let result = panic::catch_unwind(AssertUnwindSafe(scene));
        // SAFETY: ends.
        unsafe { libc::_exit(i32::from(result.is_err())) };
    }
    let mut status = 0;
    // SAFETY: a child of this process, and a number.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    assert_eq!(status, 0, "how the scene has ended");
}

/// The mask of thread `n` of a crowd: each its own.
fn nth_set(n: usize) -> Vec<c_int> {
    let all =
        [libc::SIGUSR2, libc::SIGHUP, libc::SIGWINCH, libc::SIGURG, libc::SIGIO, libc::SIGALRM]
            .into_iter()
            .chain(libc::SIGRTMIN()..);
    let signals: Vec<_> = all.take(12).enumerate().filter(|(i, _)| n & 1 << i != 0).collect();
    signals.into_iter().map(|(_, signal)| signal).collect()
}

/// Whether the calling thread blocks these signals of `nth_set` and no others.
fn has_nth_set(n: usize) -> bool {
    let now = change(SIG_BLOCK, &[]);
    let wanted = nth_set(n);
    nth_set(!0).into_iter().all(|signal| contains(&now, signal) == wanted.contains(&signal))
}

tests::on_std_and_in_each_mode! {
    items {
        use std::fs;
        use std::io::{Read, Write};
        use std::net::{TcpListener, TcpStream};
        use std::process::Command;
        use std::sync::{Arc, Barrier, Mutex, mpsc};
        use std::thread;
        use std::time::{Duration, Instant};

        use super::*;
        use tests::rng::{Rng, stress_time};

        fn compute(time: Duration) {
            let begin = Instant::now();
            while begin.elapsed() < time {
                ::std::hint::spin_loop();
            }
        }

        /// Waits in a way that `n` chooses.
        fn wait_somehow(n: usize) {
            match n % 8 {
                0 => thread::yield_now(),
                1 => thread::sleep(Duration::from_micros(300)),
                2 => drop(fs::read("/proc/self/stat").unwrap()),
                3 => thread::spawn(thread::yield_now).join().unwrap(),
                4 => compute(Duration::from_micros(200)),
                5 => thread::park_timeout(Duration::from_micros(200)),
                6 => {
                    let (sender, receiver) = mpsc::channel();
                    let child = thread::spawn(move || sender.send(()).unwrap());
                    receiver.recv().unwrap();
                    child.join().unwrap();
                }
                _ => (0..10).for_each(|_| thread::yield_now()),
            }
        }
    }

    fn a_mask_set_late_is_that_of_threads_spawned_later(process) {
        process.passes(|| alone(|| {
            for round in 0..150 {
                let threads: Vec<_> = (0..round % 5)
                    .map(|n| thread::spawn(move || wait_somehow(n + round)))
                    .collect();
                threads.into_iter().for_each(|thread| thread.join().unwrap());
                // At once: those that have just ended are none any more.
                change(SIG_BLOCK, &[libc::SIGUSR1]);
                kill(libc::SIGUSR1);
                let thread = thread::spawn(|| wait_for(&[libc::SIGUSR1]));
                assert_eq!(thread.join().unwrap(), libc::SIGUSR1);
                change(SIG_UNBLOCK, &[libc::SIGUSR1]);
            }
        }));
    }

    fn the_first_mask_of_all_finds_idle_threads_covered(process) {
        process.passes(|| alone(|| {
            let threads: Vec<_> = (0..8).map(|n| thread::spawn(move || wait_somehow(n))).collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            thread::sleep(Duration::from_millis(30));
            change(SIG_BLOCK, &[libc::SIGUSR1]);
            kill(libc::SIGUSR1);
            assert_eq!(wait_for(&[libc::SIGUSR1]), libc::SIGUSR1);
        }));
    }

    fn a_thread_keeps_its_own_mask_to_itself(process) {
        process.passes(|| {
            let threads: Vec<_> = (0..10)
                .map(|n| thread::spawn(move || {
                    if n % 5 == 0 {
                        change(SIG_BLOCK, &[libc::SIGUSR2]);
                    }
                    for round in 0..120 {
                        wait_somehow(round + n);
                        assert_eq!(is_blocked(libc::SIGUSR2), n % 5 == 0, "thread {n}, round {round}");
                        if round % 40 == 20 {
                            // Long enough to lose its core.
                            compute(Duration::from_millis(25));
                            assert_eq!(is_blocked(libc::SIGUSR2), n % 5 == 0, "thread {n}");
                        }
                    }
                    change(SIG_UNBLOCK, &[libc::SIGUSR2]);
                    for round in 0..40 {
                        wait_somehow(round + n);
                        assert!(!is_blocked(libc::SIGUSR2), "thread {n}, round {round}");
                    }
                }))
                .collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            assert!(!is_blocked(libc::SIGUSR2));
        });
    }

    fn connections_go_on_beside_masks(process) {
        process.passes(|| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            change(SIG_BLOCK, &[libc::SIGUSR1]);
            thread::spawn(move || {
                for (n, client) in listener.incoming().enumerate() {
                    let mut client = client.unwrap();
                    thread::spawn(move || {
                        change(SIG_SETMASK, &nth_set(n % 5));
                        let mut bytes = [0; 100];
                        while client.read_exact(&mut bytes).is_ok() {
                            assert!(has_nth_set(n % 5));
                            client.write_all(&bytes).unwrap();
                        }
                    });
                }
            });
            let clients: Vec<_> = (0..8_u8)
                .map(|n| thread::spawn(move || {
                    let mut server = TcpStream::connect(address).unwrap();
                    for round in 0..50 {
                        server.write_all(&[n ^ round; 100]).unwrap();
                        let mut back = [0; 100];
                        server.read_exact(&mut back).unwrap();
                        assert_eq!(back, [n ^ round; 100]);
                        assert!(is_blocked(libc::SIGUSR1));
                    }
                }))
                .collect();
            clients.into_iter().for_each(|client| client.join().unwrap());
        });
    }

    fn children_and_theirs_start_with_the_mask_of_who_spawns_them(process) {
        process.passes(|| {
            let family = || {
                change(SIG_BLOCK, &[libc::SIGUSR2]);
                let child = thread::spawn(|| {
                    assert!(is_blocked(libc::SIGUSR2));
                    let grandchild = thread::spawn(|| is_blocked(libc::SIGUSR2));
                    change(SIG_UNBLOCK, &[libc::SIGUSR2]);
                    let late = thread::spawn(|| is_blocked(libc::SIGUSR2));
                    assert!(grandchild.join().unwrap());
                    assert!(!late.join().unwrap());
                });
                thread::yield_now();
                thread::scope(|scope| {
                    let threads: Vec<_> = (0..4)
                        .map(|_| scope.spawn(|| {
                            thread::yield_now();
                            is_blocked(libc::SIGUSR2)
                        }))
                        .collect();
                    assert!(threads.into_iter().all(|thread| thread.join().unwrap()));
                });
                child.join().unwrap();
                assert!(is_blocked(libc::SIGUSR2));
            };
            thread::spawn(family).join().unwrap();
            assert!(!is_blocked(libc::SIGUSR2));
            // From an OS thread, and from another one.
            ::std::thread::spawn(family).join().unwrap();
            assert!(!is_blocked(libc::SIGUSR2));
            family();
            thread::spawn(family).join().unwrap();
        });
    }

    fn processes_start_with_the_mask_of_the_thread(process) {
        process.passes(|| {
            let threads: Vec<_> = [false, true, false, true]
                .map(|blocks| thread::spawn(move || {
                    if blocks {
                        change(SIG_BLOCK, &[libc::SIGUSR2]);
                    }
                    for _ in 0..3 {
                        thread::sleep(Duration::from_millis(1));
                        let output = Command::new("cat").arg("/proc/self/status").output().unwrap();
                        let status = String::from_utf8(output.stdout).unwrap();
                        assert_eq!(status_says_blocked(&status, libc::SIGUSR2), blocks);
                        // SAFETY: the child asks and ends.
                        let child = unsafe { libc::fork() };
                        if child == 0 {
                            let code = i32::from(is_blocked(libc::SIGUSR2));
                            // SAFETY: ends.
                            unsafe { libc::_exit(code) };
                        }
                        let mut status = 0;
                        // SAFETY: a child of this process, and a number.
                        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
                        assert_eq!(libc::WEXITSTATUS(status), i32::from(blocks));
                    }
                }))
                .into_iter()
                .collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        });
    }

    fn each_of_several_threads_gets_the_signal_that_it_waits_for(process) {
        process.passes(|| alone(|| {
            let signals = [libc::SIGUSR1, libc::SIGUSR2, libc::SIGHUP, libc::SIGALRM];
            thread::spawn(|| thread::sleep(Duration::from_millis(5))).join().unwrap();
            change(SIG_BLOCK, &signals);
            let threads = signals.map(|signal| thread::spawn(move || wait_for(&[signal])));
            // Beside them others come and go.
            let others: Vec<_> = (0..20).map(|n| thread::spawn(move || wait_somehow(n))).collect();
            thread::sleep(Duration::from_millis(20));
            signals.into_iter().for_each(kill);
            assert_eq!(threads.map(|thread| thread.join().unwrap()), signals);
            others.into_iter().for_each(|thread| thread.join().unwrap());
        }));
    }

    fn a_thread_that_has_ended_gets_no_signal(process) {
        process.passes(|| alone(|| {
            change(SIG_BLOCK, &[libc::SIGUSR1]);
            for round in 0..300 {
                thread::spawn(move || {
                    change(SIG_UNBLOCK, &[libc::SIGUSR1]);
                    if round % 2 == 0 {
                        // One that has its OS thread for itself, where that can be had.
                        let _ = sylvan::thread::bind();
                    }
                }).join().unwrap();
                kill(libc::SIGUSR1);
                assert_eq!(wait_for(&[libc::SIGUSR1]), libc::SIGUSR1);
            }
        }));
    }

    fn a_signal_that_was_blocked_comes_when_it_is_unblocked(process) {
        process.passes(|| {
            handle(libc::SIGUSR1);
            let thread = thread::spawn(|| {
                change(SIG_BLOCK, &[libc::SIGUSR1]);
                for round in 0..20 {
                    // SAFETY: sends a signal to the calling thread.
                    assert_eq!(unsafe { libc::raise(libc::SIGUSR1) }, 0);
                    assert_eq!(N_HANDLED.load(SeqCst), round);
                    change(SIG_UNBLOCK, &[libc::SIGUSR1]);
                    assert_eq!(N_HANDLED.load(SeqCst), round + 1);
                    change(SIG_BLOCK, &[libc::SIGUSR1]);
                    thread::sleep(Duration::from_micros(100));
                }
            });
            thread.join().unwrap();
        });
    }

    fn more_masks_than_there_are_numbers_for(process) {
        process.passes(|| {
            let n_threads = 300;
            let (barrier, n_wrong) = (Arc::new(Barrier::new(n_threads)), Arc::new(Mutex::new(0)));
            let threads: Vec<_> = (0..n_threads)
                .map(|n| {
                    let (barrier, n_wrong) = (Arc::clone(&barrier), Arc::clone(&n_wrong));
                    thread::spawn(move || {
                        change(SIG_SETMASK, &nth_set(n));
                        barrier.wait();
                        for _ in 0..5 {
                            thread::yield_now();
                            thread::sleep(Duration::from_millis(1));
                            *n_wrong.lock().unwrap() += usize::from(!has_nth_set(n));
                        }
                        let child = thread::spawn(move || {
                            thread::yield_now();
                            has_nth_set(n)
                        });
                        assert!(child.join().unwrap());
                        change(SIG_SETMASK, &nth_set(n + 1));
                        thread::yield_now();
                        assert!(has_nth_set(n + 1));
                    })
                })
                .collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            assert_eq!(*n_wrong.lock().unwrap(), 0);
        });
    }

    fn answers_are_libcs(process) {
        process.passes(|| {
            let facts = || {
                // SAFETY: sets, or nothing.
                unsafe {
                    let mut old = set_of(&[]);
                    let usr2 = set_of(&[libc::SIGUSR2]);
                    assert_eq!(libc::pthread_sigmask(77, &usr2, &mut old), libc::EINVAL);
                    assert_eq!(libc::pthread_sigmask(77, ptr::null(), &mut old), 0);
                    assert_eq!(libc::sigprocmask(77, &usr2, &mut old), -1);
                    assert_eq!(*libc::__errno_location(), libc::EINVAL);
                    *libc::__errno_location() = 0;
                    assert_eq!(libc::sigprocmask(SIG_BLOCK, &usr2, &mut old), 0);
                    assert!(!contains(&old, libc::SIGUSR2));
                    assert_eq!(*libc::__errno_location(), 0);
                    // As a system call, which takes eight bytes.
                    let mut was = set_of(&[]);
                    let (set, was_at) = (&raw const usr2, &raw mut was);
                    let call = |how: c_int, size: usize| {
                        libc::syscall(libc::SYS_rt_sigprocmask, how, set, was_at, size)
                    };
                    assert_eq!(call(SIG_UNBLOCK, 8), 0);
                    assert!(contains(&*was_at, libc::SIGUSR2));
                    thread::yield_now();
                    assert!(!is_blocked(libc::SIGUSR2));
                    assert_eq!((call(77, 8), *libc::__errno_location()), (-1, libc::EINVAL));
                    assert_eq!((call(SIG_BLOCK, 9), *libc::__errno_location()), (-1, libc::EINVAL));
                    assert_eq!(call(SIG_BLOCK, 8), 0);
                    // In place.
                    let mut both = set_of(&[libc::SIGUSR1]);
                    let at = &raw mut both;
                    assert_eq!(libc::pthread_sigmask(SIG_SETMASK, at, at), 0);
                    assert!(contains(&both, libc::SIGUSR2) && !contains(&both, libc::SIGUSR1));
                    // What nobody may block.
                    let mut all = MaybeUninit::<sigset_t>::uninit();
                    all.as_mut_ptr().write_bytes(0xff, 1);
                    let all = all.assume_init();
                    assert_eq!(libc::pthread_sigmask(SIG_SETMASK, &all, &mut old), 0);
                    thread::yield_now();
                    let now = change(SIG_SETMASK, &[]);
                    let never = [libc::SIGKILL, libc::SIGSTOP, 32, 33];
                    for signal in 1..=64 {
                        // libc's own function knows no 32 and 33.
                        let blocked = ptr::from_ref(&now).cast::<u64>().read() >> (signal - 1) & 1;
                        assert_eq!(blocked == 0, never.contains(&signal), "{signal}");
                    }
                }
            };
            facts();
            thread::spawn(facts).join().unwrap();
            ::std::thread::spawn(facts).join().unwrap();
        });
    }

    fn stress_of_masks(process) {
        process.passes(|| {
            let begin = Instant::now();
            let threads: Vec<_> = (0..12)
                .map(|n| thread::spawn(move || {
                    let mut rng = Rng::of_this_run(n);
                    let mut mine = rng.below(16);
                    change(SIG_SETMASK, &nth_set(mine));
                    while begin.elapsed() < stress_time() {
                        match rng.below(12) {
                            0 => {
                                mine = rng.below(16);
                                change(SIG_SETMASK, &nth_set(mine));
                            }
                            1 => {
                                let child = thread::spawn(move || {
                                    wait_somehow(mine);
                                    has_nth_set(mine)
                                });
                                assert!(child.join().unwrap());
                            }
                            2 if rng.below(20) == 0 => compute(Duration::from_millis(12)),
                            _ => wait_somehow(rng.below(8)),
                        }
                        assert!(has_nth_set(mine), "thread {n}");
                    }
                }))
                .collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        });
    }
}
