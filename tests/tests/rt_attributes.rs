//! What the kernel keeps for an OS thread holds for the thread that has set it and for those that it
//! spawns, and for nobody else.

#![cfg(target_os = "linux")]

use std::ffi::{c_int, c_long, c_ulong};
use std::io;

/// What a thread is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Attributes {
    no_new_privs: c_int,
    nice: c_int,
    processors: Vec<usize>,
    n_filters: usize,
    capabilities: u64,
    timer_slack: c_int,
}

/// Those of the calling thread.
fn attributes() -> Attributes {
    let set = rustix::thread::sched_getaffinity(None).unwrap();
    let processors = (0..rustix::thread::CpuSet::MAX_CPU).filter(|n| set.is_set(*n)).collect();
    // Here and now, on this OS thread: std's own.
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let word = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {status}")).trim().to_owned()
    };
    Attributes {
        no_new_privs: word("NoNewPrivs:").parse().unwrap(),
        // SAFETY: asks questions, here and below.
        nice: unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) },
        processors,
        n_filters: word("Seccomp_filters:").parse().unwrap(),
        capabilities: u64::from_str_radix(&word("CapEff:"), 16).unwrap(),
        // SAFETY: as above.
        timer_slack: unsafe { libc::prctl(libc::PR_GET_TIMERSLACK) },
    }
}

#[track_caller]
fn check(result: c_int) {
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
}

fn set_no_new_privs() {
    let no: c_ulong = 0;
    // SAFETY: gives up a right.
    check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1 as c_ulong, no, no, no) });
}

fn set_timer_slack() {
    // SAFETY: lets the calling thread's sleeps be late.
    check(unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 123_456 as c_ulong) });
}

fn be_nice() {
    // SAFETY: lets others run first.
    check(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 5) });
}

/// Takes the first of the processors that it has.
fn set(set_affinity: impl FnOnce(&libc::cpu_set_t) -> c_int) {
    let first = attributes().processors[0];
    // SAFETY: a set of bits.
    let mut one: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: one of them.
    unsafe { libc::CPU_SET(first, &mut one) };
    check(set_affinity(&one));
    assert_eq!(attributes().processors, [first]);
}

fn take_one_processor() {
    // SAFETY: reads a set.
    set(|one| unsafe { libc::sched_setaffinity(0, size_of_val(one), one) });
}

fn take_one_processor_by_thread() {
    // SAFETY: as above.
    set(|one| unsafe { libc::pthread_setaffinity_np(libc::pthread_self(), size_of_val(one), one) });
}

/// Gives up all capabilities; it may have none.
fn give_up_capabilities() {
    const VERSION_3: u32 = 0x2008_0522;
    let header = [VERSION_3, 0];
    let none = [0_u32; 6];
    // SAFETY: reads both.
    let result = unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), none.as_ptr()) };
    check(result as c_int);
}

/// A filter that lets everything through.
fn filter() -> (libc::sock_filter, libc::sock_fprog) {
    const RETURN_CONSTANT: u16 = 0x06;
    let allow = libc::sock_filter { code: RETURN_CONSTANT, jt: 0, jf: 0, k: 0x7fff_0000 };
    (allow, libc::sock_fprog { len: 1, filter: std::ptr::null_mut() })
}

/// Adds a filter by `prctl`.
fn add_filter() {
    let (mut allow, mut program) = filter();
    program.filter = &raw mut allow;
    let mode: c_ulong = 2;
    // SAFETY: reads the program.
    check(unsafe { libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const program) });
}

/// Adds a filter by `seccomp`.
fn add_filter_by_number() {
    let (mut allow, mut program) = filter();
    program.filter = &raw mut allow;
    let (set_mode_filter, none): (c_long, c_long) = (1, 0);
    // SAFETY: as above.
    let result =
        unsafe { libc::syscall(libc::SYS_seccomp, set_mode_filter, none, &raw const program) };
    check(result as c_int);
}

/// Changes all of it.
fn change() {
    set_no_new_privs();
    set_timer_slack();
    be_nice();
    take_one_processor();
    add_filter();
    add_filter_by_number();
    give_up_capabilities();
}

/// As it should be after `change` by one that had these.
fn changed(before: &Attributes) -> Attributes {
    Attributes {
        no_new_privs: 1,
        nice: before.nice.max(5),
        processors: vec![before.processors[0]],
        n_filters: before.n_filters + 2,
        capabilities: 0,
        timer_slack: 123_456,
    }
}

tests::on_std_and_in_each_mode! {
    items {
        use std::cell::RefCell;
        use std::os::unix::process::{CommandExt, ExitStatusExt};
        use std::process::Command;
        use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::{Acquire, Relaxed, Release}};
        use std::sync::{Arc, Barrier, Mutex};
        use std::thread::{self, Builder};
        use std::time::Duration;

        use super::*;
        use tests::counts::{eventually, os_threads};

        /// Waits in some ways, so that it may come to run elsewhere.
        fn wait() {
            for _ in 0..5 {
                thread::sleep(Duration::from_millis(1));
                thread::yield_now();
            }
        }

        struct Ended(Arc<AtomicUsize>);

        impl Drop for Ended {
            fn drop(&mut self) {
                thread::sleep(Duration::from_millis(2));
                self.0.fetch_add(1, Release);
            }
        }

        thread_local! {
            static ENDED: RefCell<Option<Ended>> = const { RefCell::new(None) };
        }
    }

    fn what_main_sets_holds_for_all_that_it_spawns_later(process) {
        process.passes(|| {
            // The runtime runs.
            thread::spawn(wait).join().unwrap();
            let before = attributes();
            change();
            let expected = changed(&before);
            assert_eq!(attributes(), expected);
            let threads: Vec<_> = (0..8).map(|_| {
                let expected = expected.clone();
                thread::spawn(move || {
                    assert_eq!(attributes(), expected);
                    wait();
                    assert_eq!(attributes(), expected);
                    // And for theirs.
                    thread::scope(|scope| {
                        for _ in 0..2 {
                            scope.spawn(|| {
                                wait();
                                assert_eq!(attributes(), expected);
                            });
                        }
                    });
                })
            }).collect();
            for thread in threads {
                thread.join().unwrap();
            }
        });
    }

    fn what_a_thread_sets_holds_for_it_and_its_own_and_for_nobody_else(process) {
        let way = process.way();
        process.passes(|| {
            let before = attributes();
            let is_changed = Arc::new(Barrier::new(2));
            let is_over = Arc::new(Barrier::new(2));
            let changer = thread::spawn({
                let (is_changed, is_over) = (is_changed.clone(), is_over.clone());
                move || {
                    let before = attributes();
                    change();
                    let expected = changed(&before);
                    is_changed.wait();
                    for _ in 0..20 {
                        wait();
                        assert_eq!(attributes(), expected);
                        let expected = expected.clone();
                        thread::spawn(move || {
                            wait();
                            assert_eq!(attributes(), expected);
                        }).join().unwrap();
                    }
                    is_over.wait();
                }
            });
            is_changed.wait();
            let others: Vec<_> = (0..20).map(|_| {
                let before = before.clone();
                thread::spawn(move || {
                    for _ in 0..5 {
                        // With shared thread-locals it may be on the same worker.
                        if way != tests::process::Way::Shared {
                            assert_eq!(attributes(), before);
                        }
                        wait();
                    }
                })
            }).collect();
            for other in others {
                other.join().unwrap();
            }
            is_over.wait();
            changer.join().unwrap();
            assert_eq!(attributes(), before);
        });
    }

    fn processors_may_be_set_by_the_thread(process) {
        process.passes(|| {
            thread::spawn(wait).join().unwrap();
            let before = attributes().processors;
            thread::spawn(|| {
                take_one_processor_by_thread();
                let one = attributes().processors;
                wait();
                assert_eq!(attributes().processors, one);
                // SAFETY: writes a set, and asks questions.
                unsafe {
                    let mut set: libc::cpu_set_t = ::std::mem::zeroed();
                    let (this, len) = (libc::pthread_self(), size_of_val(&set));
                    check(libc::pthread_getaffinity_np(this, len, &mut set));
                    assert_eq!(libc::CPU_COUNT(&set), 1);
                    let (mut policy, mut param) = (-1, libc::sched_param { sched_priority: -1 });
                    check(libc::pthread_getschedparam(this, &mut policy, &mut param));
                    assert_eq!((policy, param.sched_priority), (libc::SCHED_OTHER, 0));
                    check(libc::pthread_setschedparam(this, libc::SCHED_BATCH, &param));
                    assert_eq!(libc::sched_getscheduler(0), libc::SCHED_BATCH);
                    check(libc::pthread_setschedprio(this, 0));
                }
            }).join().unwrap();
            // Nobody else's.
            assert_eq!(attributes().processors, before);
        });
    }

    fn threads_of_a_changed_main_are_threads_in_every_way(process) {
        process.passes(|| {
            thread::spawn(wait).join().unwrap();
            set_no_new_privs();
            let n_ended = Arc::new(AtomicUsize::new(0));
            let named = Builder::new().name("a name".into()).stack_size(32 << 20).spawn({
                let ended = n_ended.clone();
                move || {
                    ENDED.set(Some(Ended(ended)));
                    // More than the default holds.
                    let large = ::std::hint::black_box([1_u8; 4 << 20]);
                    let this = thread::current();
                    (this.name().map(str::to_owned), this.id(), large.len())
                }
            }).unwrap();
            let id = named.thread().id();
            let name = Some("a name".to_owned());
            assert_eq!(named.join().unwrap(), (name, id, 4 << 20));
            // `join` waits for the destructors of thread-locals.
            assert_eq!(n_ended.load(Acquire), 1);
            let panicked = thread::spawn(|| ::std::panic::resume_unwind(Box::new(7)));
            assert_eq!(*panicked.join().unwrap_err().downcast::<i32>().unwrap(), 7);
            let come = Arc::new(AtomicBool::new(false));
            let parked = thread::spawn({
                let come = come.clone();
                move || {
                    while !come.load(Acquire) {
                        thread::park();
                    }
                }
            });
            let waker = parked.thread().clone();
            thread::spawn(move || {
                come.store(true, Release);
                waker.unpark();
            }).join().unwrap();
            parked.join().unwrap();
            // Some are joined, and some are not.
            let before = os_threads();
            let sum = Arc::new(Mutex::new(0));
            let mut kept = Vec::new();
            for n in 0..200 {
                let (sum, ended) = (sum.clone(), n_ended.clone());
                let thread = thread::spawn(move || {
                    ENDED.set(Some(Ended(ended)));
                    thread::yield_now();
                    *sum.lock().unwrap() += n;
                });
                if n % 3 != 0 {
                    kept.push(thread);
                }
            }
            let mut n_joined = 1;
            for thread in kept {
                thread.join().unwrap();
                n_joined += 1;
                assert!(n_ended.load(Acquire) >= n_joined);
            }
            eventually("all have ended", || n_ended.load(Relaxed) == 201);
            assert_eq!(*sum.lock().unwrap(), 199 * 200 / 2);
            eventually("their OS threads end", || os_threads() <= before);
            let none = Builder::new().stack_size(usize::MAX / 2).spawn(|| ());
            none.map(drop).unwrap_err();
        });
    }

    fn a_child_is_traced_by_the_thread_that_has_attached_to_it(process) {
        process.passes(|| {
            let mut child = Command::new("sleep").arg("100").spawn().unwrap();
            let id = child.id().cast_signed();
            let tracer = thread::spawn(move || {
                let none = ::std::ptr::null_mut::<u8>();
                // SAFETY: of a child of this process, here and below.
                if unsafe { libc::ptrace(libc::PTRACE_SEIZE, id, none, none) } == -1 {
                    println!("no tracing here: {}", io::Error::last_os_error());
                    return;
                }
                for _ in 0..10 {
                    wait();
                    // SAFETY: as above.
                    unsafe {
                        assert_eq!(libc::ptrace(libc::PTRACE_INTERRUPT, id, none, none), 0);
                        let mut status = 0;
                        assert_eq!(libc::waitpid(id, &mut status, libc::__WALL), id);
                        assert!(libc::WIFSTOPPED(status));
                        wait();
                        assert_eq!(libc::ptrace(libc::PTRACE_CONT, id, none, none), 0);
                    }
                }
            });
            // So that it does not stay where it is by chance.
            let others: Vec<_> = (0..8).map(|_| thread::spawn(|| (0..20).for_each(|_| wait()))).collect();
            tracer.join().unwrap();
            for other in others {
                other.join().unwrap();
            }
            child.kill().unwrap();
            child.wait().unwrap();
        });
    }

    fn system_calls_by_number_are_as_libcs(process) {
        process.passes(|| {
            let calls = || {
                // SAFETY: calls without an effect on anybody else.
                unsafe {
                    assert_eq!(libc::syscall(libc::SYS_getpid), libc::getpid() as c_long);
                    assert_eq!(libc::syscall(libc::SYS_close, -1), -1);
                    assert_eq!(io::Error::last_os_error().raw_os_error(), Some(libc::EBADF));
                    let (none, len) = (::std::ptr::null::<u8>(), 4096_usize);
                    let (protection, flags) = (libc::PROT_READ, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
                    let at = libc::syscall(libc::SYS_mmap, none, len, protection, flags, -1, 0);
                    assert_ne!(at, -1);
                    assert_eq!(libc::syscall(libc::SYS_munmap, at, len), 0);
                    // What is none is said by the kernel.
                    assert_eq!(libc::syscall(100_000), -1);
                    assert_eq!(io::Error::last_os_error().raw_os_error(), Some(libc::ENOSYS));
                    assert_eq!(libc::syscall(libc::SYS_setns, -1, 0), -1);
                    assert_eq!(io::Error::last_os_error().raw_os_error(), Some(libc::EBADF));
                    assert_eq!(libc::prctl(-1), -1);
                    assert_eq!(io::Error::last_os_error().raw_os_error(), Some(libc::EINVAL));
                    *libc::__errno_location() = 42;
                    assert!(libc::nice(0) >= -20);
                    assert_eq!(io::Error::last_os_error().raw_os_error(), Some(42));
                }
            };
            calls();
            thread::spawn(calls).join().unwrap();
        });
    }

    fn what_a_blocking_section_sets_is_not_for_the_next(process) {
        process.passes(|| {
            let before = attributes();
            for _ in 0..20 {
                let before = before.clone();
                thread::spawn(move || {
                    assert_eq!(attributes(), before);
                    sylvan::blocking(|| {
                        assert_eq!(attributes(), before);
                        be_nice();
                        assert_ne!(attributes(), before);
                    });
                }).join().unwrap();
            }
        });
    }

    fn the_parent_of_a_child_is_the_thread_that_has_started_it(process) {
        let way = process.way();
        process.passes(|| {
            if way == tests::process::Way::Shared {
                // A helper starts children there.
                return;
            }
            let start = |option: fn() -> c_long| {
                let mut command = Command::new("sleep");
                // SAFETY: asks the kernel for something.
                unsafe { command.arg("100").pre_exec(move || {
                    if option() == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
                }) };
                command.spawn()
            };
            let tracer = thread::spawn(move || {
                let none = ::std::ptr::null_mut::<u8>();
                // SAFETY: as above, and of a child of this thread below.
                let child = start(|| unsafe { libc::ptrace(libc::PTRACE_TRACEME) });
                let Ok(mut child) = child else {
                    println!("no tracing here: {:?}", child.unwrap_err());
                    return;
                };
                let id = child.id().cast_signed();
                for _ in 0..5 {
                    wait();
                }
                // SAFETY: as above.
                unsafe {
                    let mut status = 0;
                    assert_eq!(libc::waitpid(id, &mut status, 0), id);
                    assert!(libc::WIFSTOPPED(status));
                    wait();
                    assert_eq!(libc::ptrace(libc::PTRACE_DETACH, id, none, none), 0);
                }
                child.kill().unwrap();
                child.wait().unwrap();
            });
            let others: Vec<_> = (0..8).map(|_| thread::spawn(|| (0..10).for_each(|_| wait()))).collect();
            tracer.join().unwrap();
            for other in others {
                other.join().unwrap();
            }
            let mut child = thread::spawn(move || {
                // SAFETY: as above.
                start(|| c_long::from(unsafe {
                    libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as c_ulong)
                }))
            }).join().unwrap().unwrap();
            // Its parent has ended.
            assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
        });
    }

    fn a_child_lives_as_long_as_the_thread_that_has_started_it(process) {
        process.passes(|| {
            // Longer than an OS thread without work stays.
            let long = Duration::from_secs(11);
            let parents: Vec<_> = (0..4).map(|n| thread::spawn(move || {
                let mut command = Command::new("sleep");
                command.arg("100");
                if n % 2 == 0 {
                    // SAFETY: asks for a signal at its parent's end.
                    unsafe { command.pre_exec(|| {
                        check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as c_ulong));
                        Ok(())
                    }) };
                } else {
                    // Started without any code of its own, which asks itself.
                    command = Command::new("setpriv");
                    command.args(["--pdeathsig", "KILL", "sleep", "100"]);
                }
                let Ok(mut child) = command.spawn() else { return true };
                thread::sleep(long);
                let lives = child.try_wait().unwrap().is_none();
                let _ = child.kill();
                child.wait().unwrap();
                lives
            })).collect();
            assert!(parents.into_iter().all(|parent| parent.join().unwrap()));
        });
    }
}
