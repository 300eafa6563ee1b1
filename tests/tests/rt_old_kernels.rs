//! What a kernel does not have that is older than the one at hand: a filter refuses the call as such
//! a kernel would.
#![cfg(target_os = "linux")]

use std::fs;
use std::io::{Read, Write};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use std_shim::os::unix::net::UnixStream;
use std_shim::sync::mpsc;
use std_shim::thread::{self, Builder};

use tests::process::Process;

tests::in_each_mode!(
    without_epoll_pwait2_waits_end_late_but_not_early,
    without_epoll_pwait2_a_wait_may_be_longer_than_the_older_call_can_say,
    without_membarrier_cores_are_lost_and_kept,
    without_light_guards_each_stack_has_its_own_mapping,
    without_light_guards_an_overflow_is_reported,
    among_many_threads_an_overflow_is_reported,
    without_several_guards_at_once_an_overflow_is_reported,
);

/// `MADV_GUARD_INSTALL`.
const GUARD_INSTALL: u32 = 102;

/// Has this call fail with `error` from here on; where `third` is given, only with that as its third
/// argument.
fn refuse(call: libc::c_long, third: Option<u32>, error: i32) {
    // What a filter looks at, as offsets in `seccomp_data`; arguments are 64 bits, low half first.
    const CALL: u32 = 0;
    const THIRD: u32 = 16 + 2 * 8;
    let load = |offset| (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, offset);
    let unless = |value, skip| (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, skip, value);
    let answer = |action| (libc::BPF_RET | libc::BPF_K, 0, action);
    let third = third.map(|value| [load(THIRD), unless(value, 1)]);
    let steps = [load(CALL), unless(call as u32, if third.is_some() { 3 } else { 1 })]
        .into_iter()
        .chain(third.into_iter().flatten())
        .chain([answer(libc::SECCOMP_RET_ERRNO | error as u32), answer(libc::SECCOMP_RET_ALLOW)]);
    let mut filter: Vec<_> =
        steps.map(|(code, jf, k)| libc::sock_filter { code: code as u16, jt: 0, jf, k }).collect();
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: a program of that many steps, which the kernel copies.
    let installed = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) == 0
    };
    assert!(installed, "{}", std::io::Error::last_os_error());
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn without_epoll_pwait2_waits_end_late_but_not_early(process: &Process) {
    process.env("SYLVAN_WORKERS", "2").passes(|| {
        refuse(libc::SYS_epoll_pwait2, None, libc::ENOSYS);
        let used = processor_time();
        let waits = || {
            for micros in [1, 100, 999, 1_001, 1_500, 20_300] {
                let (begin, time) = (Instant::now(), Duration::from_micros(micros));
                thread::sleep(time);
                assert!(begin.elapsed() >= time);
            }
            thread::sleep(Duration::from_millis(400));
        };
        let threads: Vec<_> = (0..20).map(|_| thread::spawn(waits)).collect();
        let (mut near, mut far) = UnixStream::pair().unwrap();
        let echo = thread::spawn(move || {
            let mut word = [0; 5];
            far.read_exact(&mut word).unwrap();
            far.write_all(&word).unwrap();
        });
        let echoed = thread::spawn(move || {
            thread::sleep(Duration::from_millis(2));
            near.write_all(b"there").unwrap();
            let mut word = String::new();
            near.read_to_string(&mut word).unwrap();
            word
        });
        assert_eq!(echoed.join().unwrap(), "there");
        echo.join().unwrap();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let used = processor_time() - used;
        println!("used the processor for {used:?}");
        assert!(used < Duration::from_millis(300), "waited busily");
    });
}

fn without_epoll_pwait2_a_wait_may_be_longer_than_the_older_call_can_say(process: &Process) {
    process.env("SYLVAN_WORKERS", "1").passes(|| {
        refuse(libc::SYS_epoll_pwait2, None, libc::ENOSYS);
        let days = |n: u64| Duration::from_secs(n * 24 * 60 * 60);
        for time in [days(40), days(400_000), Duration::MAX] {
            let sleeper = thread::spawn(move || thread::park_timeout(time));
            std::thread::sleep(Duration::from_millis(20));
            assert!(!sleeper.is_finished());
            sleeper.thread().unpark();
            sleeper.join().unwrap();
        }
    });
}

fn without_membarrier_cores_are_lost_and_kept(process: &Process) {
    const ROUNDS: u32 = 200;
    process.env("SYLVAN_WORKERS", "2").passes(|| {
        refuse(libc::SYS_membarrier, None, libc::ENOSYS);
        let sections = || {
            for round in 0..ROUNDS {
                // Some last long enough to lose the core, and some just about.
                let time = Duration::from_micros(u64::from(round % 8) * 15);
                sylvan::blocking(|| std::thread::sleep(time));
            }
        };
        let stuck = || {
            for _ in 0..ROUNDS / 50 {
                std::thread::sleep(Duration::from_millis(25));
            }
        };
        let yields = || {
            for _ in 0..ROUNDS * 100 {
                thread::yield_now();
            }
        };
        let threads: Vec<_> = (0..4)
            .flat_map(|_| [thread::spawn(sections), thread::spawn(stuck), thread::spawn(yields)])
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

fn without_light_guards_each_stack_has_its_own_mapping(process: &Process) {
    const THREADS: usize = 200;
    let n_mappings = || fs::read_to_string("/proc/self/maps").unwrap().lines().count();
    process.env("SYLVAN_WORKERS", "2").passes(|| {
        refuse(libc::SYS_madvise, Some(GUARD_INSTALL), libc::EINVAL);
        let before = n_mappings();
        let threads: Vec<_> = (0..THREADS).map(|_| thread::spawn(thread::park)).collect();
        let during = n_mappings();
        println!("{before} mappings, {during} with {THREADS} threads");
        assert!(during >= before + THREADS);
        for thread in threads {
            thread.thread().unpark();
            thread.join().unwrap();
        }
    });
}

fn without_light_guards_an_overflow_is_reported(process: &Process) {
    reports_an_overflow(process, 0, || {
        refuse(libc::SYS_madvise, Some(GUARD_INSTALL), libc::EINVAL)
    });
}

/// So many that guards are made several at a time.
const MANY: usize = 100;

fn among_many_threads_an_overflow_is_reported(process: &Process) {
    reports_an_overflow(process, MANY, || {});
}

fn without_several_guards_at_once_an_overflow_is_reported(process: &Process) {
    reports_an_overflow(process, MANY, || refuse(libc::SYS_process_madvise, None, libc::EBADF));
}

fn reports_an_overflow(process: &Process, n_others: usize, prepare: fn()) {
    #[expect(unconditional_recursion, reason = "that is the point")]
    fn overflow(n: u64) -> u64 {
        let frame = std::hint::black_box([n; 16]);
        std::hint::black_box(overflow(frame[3] + 1)) + frame[5]
    }
    let ended = process.run(|| {
        prepare();
        let (there, others) = mpsc::channel();
        for _ in 0..n_others {
            let there = there.clone();
            thread::spawn(move || {
                there.send(()).unwrap();
                thread::park();
            });
        }
        (0..n_others).for_each(|_| others.recv().unwrap());
        let deep = Builder::new().name("the deep one".to_owned());
        let _ = deep.spawn(|| overflow(0)).unwrap().join();
    });
    assert_eq!(ended.signal(), Some(libc::SIGABRT), "{}", ended.status);
    assert!(ended.stderr.contains("thread 'the deep one' ("), "{}", ended.stderr);
    assert!(ended.stderr.contains(") has overflowed its stack"), "{}", ended.stderr);
}
