//! `ctrlc`, whose thread waits by libc's `sem_wait`.

use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use crates::{Watch, are_thread_locals_shared, green};

const WHY: &str = "its thread waits by libc, which holds up the worker";

#[test]
fn an_interrupt_is_heard_of_each_time() {
    green(|| {
        if are_thread_locals_shared(WHY) {
            return;
        }
        let watch = Watch::begin();
        let (sender, heard) = channel();
        ctrlc::set_handler(move || sender.send(()).unwrap()).unwrap();
        for _ in 0..3 {
            // SAFETY: a system call that takes numbers; the signal has a handler.
            assert_eq!(unsafe { libc::kill(libc::getpid(), libc::SIGINT) }, 0);
            heard.recv_timeout(Duration::from_secs(20)).unwrap();
        }
        // Nothing comes of itself.
        thread::sleep(Duration::from_millis(20));
        assert!(heard.try_recv().is_err());
        watch.at_most(32, "one who waits for interrupts by ctrlc");
    });
}
