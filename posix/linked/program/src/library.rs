//! A shared library in C, which waits by libc's functions.

use std::ffi::{c_int, c_long};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Instant;

use crate::{THREADS, say_os_threads};

unsafe extern "C" {
    safe fn waits_for(ms: c_long);
    safe fn waits_for_byte(fd: c_int) -> c_int;
    safe fn waits_until_open();
    safe fn waits_open();
    safe fn waits_for_thread(number: c_int) -> c_int;
}

pub(crate) fn run() {
    let begin = Instant::now();
    let sleepers: Vec<_> = (0..THREADS).map(|_| thread::spawn(|| waits_for(300))).collect();
    let waiters: Vec<_> = (0..THREADS).map(|_| thread::spawn(|| waits_until_open())).collect();
    let (ends, readers): (Vec<_>, Vec<_>) = (0..THREADS)
        .map(|_| {
            let (ours, theirs) = UnixStream::pair().expect("a pair");
            (ours, thread::spawn(move || waits_for_byte(theirs.as_raw_fd())))
        })
        .unzip();
    let parents: Vec<_> = (0..THREADS).map(|_| thread::spawn(|| waits_for_thread(21))).collect();
    thread::sleep(std::time::Duration::from_millis(200));
    say_os_threads();
    for mut end in ends {
        end.write_all(&[3]).expect("a reader");
    }
    waits_open();
    sleepers.into_iter().for_each(|thread| thread.join().expect("no panic"));
    waiters.into_iter().for_each(|thread| thread.join().expect("no panic"));
    let bytes: c_int = readers.into_iter().map(|thread| thread.join().expect("no panic")).sum();
    let twice: c_int = parents.into_iter().map(|thread| thread.join().expect("no panic")).sum();
    // One after the other they would have slept for 30 s.
    println!("{bytes} {twice} {}", begin.elapsed().as_secs() < 10);
}
