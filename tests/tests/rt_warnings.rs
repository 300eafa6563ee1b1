//! Who is warned of on standard error, if that is asked for (`SYLVAN_WARN_BLOCKING`): a green thread
//! that holds its worker, with its name, for how long, and what it does.

use std::time::{Duration, Instant};

use std_shim::thread::{self, Builder};

use tests::process::{Ended, Process};

tests::in_each_mode!(
    a_thread_that_computes_is_named_with_its_time,
    a_thread_that_sleeps_in_c_is_named_with_its_system_call,
    a_loop_without_an_end_is_named_while_it_goes_on,
    what_a_thread_does_in_a_blocking_section_is_its_own_affair,
    threads_that_wait_or_return_soon_are_not_named,
    nobody_is_named_unless_that_is_asked_for,
    a_program_may_ask_by_itself,
);

const LASTS: Duration = Duration::from_millis(400);

fn compute() {
    let begin = Instant::now();
    while begin.elapsed() < LASTS {
        std::hint::spin_loop();
    }
}

fn sleep_in_c() {
    // SAFETY: waits for less than a second.
    unsafe { libc::usleep(LASTS.as_micros().try_into().unwrap()) };
}

/// Runs `f` as a thread of this name; the thread's number is printed.
fn run_as(name: &str, f: impl FnOnce() + Send + 'static) {
    let main = || {
        f();
        // Ends the run, so that what is to be said of it has been said before the thread goes on.
        thread::yield_now();
    };
    let thread = sylvan::Builder::new().name(name.to_owned()).spawn(main).unwrap();
    println!("number: {}", thread.thread().id().get());
    thread.join().unwrap();
}

/// The lines of warning, and the numbers of milliseconds in them.
fn warnings(ended: &Ended) -> Vec<(&str, u64)> {
    let lines = ended.stderr.lines().filter(|line| line.starts_with("sylvan: "));
    let with_time = lines.map(|line| {
        let time = line.split(" for ").nth(1).and_then(|rest| rest.split(" ms ").next());
        (line, time.expect("a time").parse().expect("a number of milliseconds"))
    });
    with_time.collect()
}

/// One warning while the thread `name` is `doing` it, and another one afterwards.
fn assert_named_once(ended: &Ended, name: &str, doing: &str) {
    let [(during, so_far), (after, in_all)] = warnings(ended)[..] else {
        panic!("two lines of warning: {:?}", ended.stderr)
    };
    let thread = format!("sylvan: thread '{name}' ({})", ended.said("number:"));
    assert!(during.starts_with(&format!("{thread} has held its worker for ")), "{during}");
    assert!(during.contains(doing) && during.contains("SYLVAN_WARN_BLOCKING"), "{during}");
    assert!(after.starts_with(&format!("{thread} held its worker for ")), "{after}");
    assert!(so_far >= 100 && in_all >= 400 && so_far <= in_all, "{so_far}, {in_all}");
}

fn a_thread_that_computes_is_named_with_its_time(process: &Process) {
    let ended = process.env("SYLVAN_WARN_BLOCKING", "100ms").passes(|| run_as("sums", compute));
    assert_named_once(&ended, "sums", "computing");
}

fn a_thread_that_sleeps_in_c_is_named_with_its_system_call(process: &Process) {
    let process = process.env("SYLVAN_WARN_BLOCKING", "100ms");
    let ended = process.passes(|| run_as("naps", sleep_in_c));
    assert_named_once(&ended, "naps", &format!("system call {}", libc::SYS_clock_nanosleep));
}

fn a_loop_without_an_end_is_named_while_it_goes_on(process: &Process) {
    let process = process.env("SYLVAN_WARN_BLOCKING", "50ms").env("SYLVAN_WORKERS", "2");
    let ended = process.passes(|| {
        let turns = || loop {
            std::hint::spin_loop();
        };
        let _ = Builder::new().name("turns".into()).spawn(turns).unwrap();
        // Others wait, so that it loses its core on the way, where it can.
        (0..200).for_each(|_| thread::spawn(|| ()).join().unwrap());
        std::thread::sleep(LASTS);
    });
    let [(line, _)] = warnings(&ended)[..] else { panic!("one line: {:?}", ended.stderr) };
    assert!(line.contains("thread 'turns' (") && line.contains("computing"), "{line}");
}

fn what_a_thread_does_in_a_blocking_section_is_its_own_affair(process: &Process) {
    let ended = process.env("SYLVAN_WARN_BLOCKING", "100ms").passes(|| {
        run_as("asks", || {
            sylvan::blocking(sleep_in_c);
            sylvan::blocking(|| sylvan::blocking(compute));
        });
    });
    assert_eq!(warnings(&ended), []);
}

fn threads_that_wait_or_return_soon_are_not_named(process: &Process) {
    let ended = process.env("SYLVAN_WARN_BLOCKING", "1s").passes(|| {
        let sleeping: Vec<_> = (0..20)
            .map(|_| thread::spawn(|| thread::sleep(Duration::from_millis(1_300))))
            .collect();
        run_as("short", compute);
        sleeping.into_iter().for_each(|thread| thread.join().unwrap());
    });
    assert_eq!(warnings(&ended), []);
}

fn nobody_is_named_unless_that_is_asked_for(process: &Process) {
    let ended = process.passes(|| run_as("sums", compute));
    assert_eq!(ended.stderr, "");
}

fn a_program_may_ask_by_itself(process: &Process) {
    let ended = process.env("SYLVAN_WARN_BLOCKING", "1000s").passes(|| {
        let error = sylvan::Config::new().warn_blocking(Duration::ZERO).start().unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        sylvan::Config::new().warn_blocking(Duration::from_millis(100)).start().unwrap();
        run_as("naps", sleep_in_c);
    });
    assert_named_once(&ended, "naps", "waiting");
}
