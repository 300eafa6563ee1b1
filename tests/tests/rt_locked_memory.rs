//! A program that has locked its memory (`mlockall`) spawns green threads as before, and pays for what
//! their stacks have touched.
#![cfg(target_os = "linux")]

use std::hint::black_box;
use std::io;
use std::sync::Arc;

use rustix::mm::{MlockAllFlags, mlockall};
use std_shim::sync::Barrier;
use std_shim::thread::{self, JoinHandle};
use tests::process::Process;

tests::in_each_mode!(
    memory_locked_after_the_start,
    memory_locked_before_the_start,
    an_overflow_is_one_in_locked_memory,
);

const MIB: usize = 1 << 20;

/// The threads that are there at a time: their stacks are more than a slab of them.
const THREADS: usize = 300;

/// Locks what is mapped and what is going to be; `false`, with the reason, if that is not allowed here.
fn lock() -> bool {
    let locked = mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE);
    if let Err(error) = locked {
        println!("skipped: mlockall: {error} (see `ulimit -l`)");
    }
    locked.is_ok()
}

/// Touches some of the stack.
fn recurse(depth: usize) -> usize {
    let frame = black_box([depth; 128]);
    if depth == 0 { 0 } else { recurse(depth - 1) + frame[depth % 128] / depth }
}

fn crowd(n: usize, together: &Arc<Barrier>) -> Vec<JoinHandle<()>> {
    let one = |_| {
        let together = Arc::clone(together);
        thread::spawn(move || {
            assert_eq!(recurse(50), 50);
            together.wait();
        })
    };
    (0..n).map(one).collect()
}

fn resident() -> io::Result<usize> {
    let pages = std::fs::read_to_string("/proc/self/statm")?;
    let pages = pages.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    Ok(pages.expect("a number of pages") * rustix::param::page_size())
}

fn spawn_many() {
    let before = resident().unwrap();
    for _ in 0..3 {
        let together = Arc::new(Barrier::new(THREADS + 1));
        let threads = crowd(THREADS, &together);
        let grown = resident().unwrap().saturating_sub(before);
        // Their stacks are 600 MiB. OS threads, of which a few are started, have all of theirs.
        assert!(grown < 200 * MIB, "{} MiB", grown / MIB);
        together.wait();
        for thread in threads {
            thread.join().unwrap();
        }
    }
}

fn memory_locked_after_the_start(process: &Process) {
    process.passes(|| {
        let together = Arc::new(Barrier::new(11));
        let earlier = crowd(10, &together);
        if lock() {
            spawn_many();
        }
        together.wait();
        for thread in earlier {
            thread.join().unwrap();
        }
    });
}

fn memory_locked_before_the_start(process: &Process) {
    process.passes(|| {
        if lock() {
            spawn_many();
        }
    });
}

fn an_overflow_is_one_in_locked_memory(process: &Process) {
    let ended = process.run(|| {
        thread::spawn(|| ()).join().unwrap();
        if lock() {
            let deep = thread::Builder::new().name("deep".into()).spawn(|| recurse(1 << 30));
            drop(deep.unwrap().join());
        }
    });
    if !ended.stdout.contains("skipped") {
        assert_eq!(ended.signal(), Some(libc::SIGABRT));
        assert!(ended.stderr.contains("thread 'deep'"));
        assert!(ended.stderr.contains("has overflowed its stack"));
    }
}
