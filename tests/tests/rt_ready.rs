//! `ready`, the verb that waits for a descriptor: with others, in vain, and interrupted.

use std::io::Write;
use std::mem;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::ptr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sylvan::{Interest, ready};

use tests::process::Process;

tests::in_each_mode!(
    all_who_wait_for_a_descriptor_are_told,
    a_wait_that_a_signal_interrupts_goes_on,
);

fn all_who_wait_for_a_descriptor_are_told(process: &Process) {
    process.passes(|| {
        let (mut near, far) = UnixStream::pair().unwrap();
        let far = Arc::new(far);
        let waiting: Vec<_> = (0..10)
            .map(|_| {
                let far = Arc::clone(&far);
                sylvan::spawn(move || ready(far.as_fd(), Interest::Read, None).unwrap())
            })
            .collect();
        std::thread::sleep(Duration::from_millis(50));
        near.write_all(b"for all to see").unwrap();
        // Nobody reads, so it is ready for each of them.
        assert!(waiting.into_iter().all(|thread| thread.join().unwrap()));
    });
}

fn a_wait_that_a_signal_interrupts_goes_on(process: &Process) {
    extern "C" fn on_signal(_: libc::c_int) {}
    process.passes(|| {
        // SAFETY: zero is a valid `sigaction`, without SA_RESTART; the handler does nothing. The
        // timer is one of this process alone.
        unsafe {
            let mut action: libc::sigaction = mem::zeroed();
            action.sa_sigaction = on_signal as *const () as libc::sighandler_t;
            assert_eq!(libc::sigaction(libc::SIGALRM, &action, ptr::null_mut()), 0);
            let every = libc::timeval { tv_sec: 0, tv_usec: 50 };
            let timer = libc::itimerval { it_interval: every, it_value: every };
            assert_eq!(libc::setitimer(libc::ITIMER_REAL, &timer, ptr::null_mut()), 0);
        }
        let waits = || {
            let (_near, far) = UnixStream::pair().unwrap();
            let begin = Instant::now();
            while begin.elapsed() < Duration::from_millis(700) {
                let soon = Instant::now() + Duration::from_micros(30);
                assert!(!ready(far.as_fd(), Interest::Read, Some(soon)).unwrap());
                assert!(Instant::now() >= soon);
            }
        };
        let threads: Vec<_> = (0..20).map(|_| sylvan::spawn(waits)).collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}
