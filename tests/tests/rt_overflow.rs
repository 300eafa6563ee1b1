//! Stack overflow: the report of std with the green thread's name, and SIGABRT, from any depth and
//! whoever else handles the signal; and faults that are none die as they would without us.

use std::hint::black_box;
use std::mem;
use std::ptr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use std_shim::thread::{self, Builder};

use tests::process::{Ended, Process};

tests::in_each_mode!(
    an_overflow_names_the_thread_and_aborts,
    an_overflow_of_a_thread_without_a_name_is_reported_as_std_does,
    an_overflow_deep_in_a_frame_of_c_is_reported,
    an_overflow_of_one_among_many_is_reported,
    several_overflows_at_once_are_reported,
    an_overflow_is_reported_wherever_the_thread_has_been,
    an_overflow_of_an_os_thread_is_reported_by_std,
    a_handler_installed_before_does_not_see_an_overflow,
    a_handler_installed_before_sees_other_faults,
    a_handler_installed_after_is_the_one_that_counts,
    a_handler_installed_after_may_pass_an_overflow_on,
    a_fault_that_is_no_overflow_is_a_plain_fault,
    a_fault_in_the_guard_of_another_thread_is_a_plain_fault,
    a_signal_that_somebody_sends_is_no_overflow,
);

/// Uses up the stack.
#[expect(unconditional_recursion, reason = "that is the point")]
fn overflow(n: u64) -> u64 {
    let frame = black_box([n; 16]);
    black_box(overflow(frame[3] + 1)) + frame[5]
}

/// Reads where nothing is.
fn fault() {
    // SAFETY: there is none: the process is to end here.
    black_box(unsafe { ptr::without_provenance::<u8>(8).read_volatile() });
}

fn named(name: &str) -> Builder {
    Builder::new().name(name.to_owned())
}

#[track_caller]
fn assert_reported(ended: &Ended, names: &[&str]) {
    assert_eq!(ended.signal(), Some(libc::SIGABRT), "{}", ended.status);
    let reported = names.iter().any(|name| {
        ended.stderr.lines().any(|line| {
            line.starts_with(&format!("thread '{name}' ("))
                && line.ends_with(") has overflowed its stack")
        })
    });
    assert!(reported, "of none of {names:?}: {}", ended.stderr);
    assert!(ended.stderr.contains("fatal runtime error: stack overflow, aborting"));
}

#[track_caller]
fn assert_faulted(ended: &Ended) {
    assert_eq!(ended.signal(), Some(libc::SIGSEGV), "{}", ended.status);
    assert!(!ended.stderr.contains("overflow"), "{}", ended.stderr);
}

fn an_overflow_names_the_thread_and_aborts(process: &Process) {
    let ended = process.run(|| {
        let _ = named("the deep one").spawn(|| overflow(0)).unwrap().join();
    });
    assert_reported(&ended, &["the deep one"]);
}

fn an_overflow_of_a_thread_without_a_name_is_reported_as_std_does(process: &Process) {
    let ended = process.run(|| {
        let _ = thread::spawn(|| overflow(0)).join();
    });
    assert_reported(&ended, &["<unknown>"]);
}

fn an_overflow_deep_in_a_frame_of_c_is_reported(process: &Process) {
    /// Sorts within the comparison, so that frames of C and of Rust take turns.
    extern "C" fn compare(_: *const libc::c_void, _: *const libc::c_void) -> libc::c_int {
        let mut values = black_box([3_u64, 1, 2, 0]);
        // SAFETY: four values of eight bytes, and a comparison for them.
        unsafe { libc::qsort(values.as_mut_ptr().cast(), 4, 8, Some(compare)) };
        black_box(values[0] as libc::c_int)
    }
    let ended = process.run(|| {
        let sorts = || compare(ptr::null(), ptr::null());
        let _ = named("the sorter").spawn(sorts).unwrap().join();
    });
    assert_reported(&ended, &["the sorter"]);
}

fn an_overflow_of_one_among_many_is_reported(process: &Process) {
    let ended = process.run(|| {
        for n in 0..200 {
            let builder = named("a calm one").stack_size([64 << 10, 2 << 20][n % 2]);
            builder.spawn(|| thread::sleep(Duration::from_secs(60))).unwrap();
        }
        let small = named("the small one").stack_size(64 << 10);
        let _ = small.spawn(|| overflow(0)).unwrap().join();
    });
    assert_reported(&ended, &["the small one"]);
}

fn several_overflows_at_once_are_reported(process: &Process) {
    let names = ["first", "second", "third", "fourth"];
    let ended = process.run(|| {
        let threads = names.map(|name| named(name).spawn(|| overflow(0)).unwrap());
        threads.into_iter().for_each(|thread| drop(thread.join()));
    });
    assert_reported(&ended, &names);
}

fn an_overflow_is_reported_wherever_the_thread_has_been(process: &Process) {
    let ended = process.run(|| {
        let wanders = || {
            for _ in 0..50 {
                thread::sleep(Duration::from_micros(100));
                sylvan::blocking(|| std::thread::sleep(Duration::from_micros(300)));
            }
            // Long enough to lose its core.
            let begin = Instant::now();
            while begin.elapsed() < Duration::from_millis(50) {}
            let deep =
                named("another one").spawn(|| thread::park_timeout(Duration::from_millis(1)));
            deep.unwrap().join().unwrap();
            overflow(0)
        };
        for _ in 0..20 {
            thread::spawn(|| {
                loop {
                    thread::sleep(Duration::from_micros(50));
                }
            });
        }
        let _ = named("the wanderer").spawn(wanders).unwrap().join();
    });
    assert_reported(&ended, &["the wanderer"]);
}

fn an_overflow_of_an_os_thread_is_reported_by_std(process: &Process) {
    let ended = process.run(|| {
        thread::spawn(|| ()).join().unwrap();
        let os = std::thread::Builder::new().name("std's own".to_owned());
        let _ = os.spawn(|| overflow(0)).unwrap().join();
    });
    assert_reported(&ended, &["std's own"]);
}

/// What was installed before [`install`].
static BEFORE: OnceLock<libc::sigaction> = OnceLock::new();

type Handler = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);

/// Installs a handler of SIGSEGV, as programs do.
fn install(handler: Handler) {
    // SAFETY: zero is a valid `sigaction`; the handlers here make calls that a handler may make.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        let mut before: libc::sigaction = mem::zeroed();
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        action.sa_sigaction = handler as *const () as libc::sighandler_t;
        assert_eq!(libc::sigaction(libc::SIGSEGV, &action, &mut before), 0);
        let _ = BEFORE.set(before);
    }
}

/// The status that the user's handler ends the process with.
const HANDLED: i32 = 42;

extern "C" fn end_the_process(_: libc::c_int, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: ends the process, from a handler too.
    unsafe { libc::_exit(HANDLED) };
}

extern "C" fn pass_on(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let said = b"passed on\n";
    // SAFETY: the handler of before, which takes three arguments as its flag says.
    unsafe {
        libc::write(2, said.as_ptr().cast(), said.len());
        let before = BEFORE.get().expect("installed");
        assert!(before.sa_flags & libc::SA_SIGINFO != 0);
        mem::transmute::<libc::sighandler_t, Handler>(before.sa_sigaction)(signal, info, context);
    }
}

fn a_handler_installed_before_does_not_see_an_overflow(process: &Process) {
    let ended = process.run(|| {
        install(end_the_process);
        let _ = named("the deep one").spawn(|| overflow(0)).unwrap().join();
    });
    assert_reported(&ended, &["the deep one"]);
}

fn a_handler_installed_before_sees_other_faults(process: &Process) {
    let ended = process.run(|| {
        install(end_the_process);
        let _ = thread::spawn(fault).join();
    });
    assert_eq!(ended.status.code(), Some(HANDLED), "{}", ended.status);
}

fn a_handler_installed_after_is_the_one_that_counts(process: &Process) {
    let ended = process.run(|| {
        thread::spawn(|| ()).join().unwrap();
        install(end_the_process);
        let _ = thread::spawn(|| overflow(0)).join();
    });
    assert_eq!(ended.status.code(), Some(HANDLED), "{}", ended.status);
}

fn a_handler_installed_after_may_pass_an_overflow_on(process: &Process) {
    let ended = process.run(|| {
        thread::spawn(|| ()).join().unwrap();
        install(pass_on);
        let _ = named("the deep one").spawn(|| overflow(0)).unwrap().join();
    });
    assert!(ended.stderr.contains("passed on\n"));
    assert_reported(&ended, &["the deep one"]);
}

fn a_fault_that_is_no_overflow_is_a_plain_fault(process: &Process) {
    let ended = process.run(|| {
        let _ = named("the careless one").spawn(fault).unwrap().join();
    });
    assert_faulted(&ended);
}

fn a_fault_in_the_guard_of_another_thread_is_a_plain_fault(process: &Process) {
    let ended = process.run(|| {
        let size = 64 << 10;
        let (send, receive) = std::sync::mpsc::channel();
        let parked = named("the innocent one").stack_size(size).spawn(move || {
            let local = black_box(0_u8);
            send.send(ptr::from_ref(&local).addr()).unwrap();
            loop {
                thread::park();
            }
        });
        drop(parked.unwrap());
        let inside = receive.recv().unwrap();
        // Below its stack, and not below the four pages of its guard.
        let guard = inside - size - (12 << 10);
        let reads = move || {
            // SAFETY: there is none: the process is to end here.
            black_box(unsafe { ptr::without_provenance::<u8>(guard).read_volatile() });
        };
        let _ = named("the careless one").spawn(reads).unwrap().join();
    });
    assert_faulted(&ended);
}

fn a_signal_that_somebody_sends_is_no_overflow(process: &Process) {
    let ended = process.run(|| {
        thread::spawn(|| thread::sleep(Duration::from_millis(1))).join().unwrap();
        // std takes the first for a reason to step aside, as it would without us.
        for _ in 0..2 {
            // SAFETY: sends a signal to this process.
            unsafe { libc::kill(libc::getpid(), libc::SIGSEGV) };
            std::thread::sleep(Duration::from_millis(20));
        }
        std::thread::sleep(Duration::from_secs(20));
    });
    assert_faulted(&ended);
}
