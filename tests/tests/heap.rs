//! The heap of the library that makes a program green, as this very program's: threads, handlers of signals
//! that allocate, and forks, all at a time.

#![cfg(all(target_os = "linux", target_env = "gnu"))]
#![allow(unsafe_code, reason = "an allocator, handlers of signals and forks")]

#[path = "../../posix/preload/src/heap.rs"]
mod heap;

use std::ffi::c_int;
use std::os::unix::thread::JoinHandleExt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{ptr, thread};

use tests::rng::Rng;

static HANDLED: AtomicUsize = AtomicUsize::new(0);

/// Blocks of some sizes, each filled with what is looked at before it is freed.
struct Blocks(Vec<Vec<u8>>);

impl Blocks {
    fn step(&mut self, rng: &mut Rng) {
        let len = 1 << rng.below(14);
        if self.0.len() < 64 || rng.below(2) == 0 {
            self.0.push(vec![len as u8; len]);
        } else {
            let at = rng.below(self.0.len());
            let mut block = self.0.swap_remove(at);
            assert!(block.iter().all(|byte| *byte == block.len() as u8));
            let (byte, more) = (block[0], block.len());
            block.resize(2 * more, byte);
            assert!(block.iter().all(|it| *it == byte));
        }
        self.0.truncate(128);
    }
}

/// Allocates, and frees what an earlier call has left, so that blocks go from one kind of memory to the
/// other.
extern "C" fn on_signal(_: c_int) {
    static LEFT: [AtomicUsize; 8] = [const { AtomicUsize::new(0) }; 8];
    let n = HANDLED.fetch_add(1, Ordering::Relaxed);
    let block = Box::into_raw(Box::new([n; 9]));
    let before = LEFT[n % LEFT.len()].swap(block.expose_provenance(), Ordering::AcqRel);
    if before != 0 {
        // SAFETY: left by an earlier call, and taken out by this one.
        let block =
            unsafe { Box::from_raw(ptr::with_exposed_provenance_mut::<[usize; 9]>(before)) };
        if block[0] != block[8] {
            std::process::abort();
        }
    }
}

#[test]
fn threads_handlers_and_forks_may_allocate_at_a_time() {
    static OVER: AtomicBool = AtomicBool::new(false);
    heap::begin();
    // SAFETY: a handler that allocates, which is what is tried.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_signal as *const () as usize;
        action.sa_flags = libc::SA_RESTART;
        libc::sigaction(libc::SIGUSR1, &action, ptr::null_mut());
    }
    let threads: Vec<_> = (0..4)
        .map(|seed| {
            thread::spawn(move || {
                let (mut rng, mut blocks) = (Rng::new(seed), Blocks(Vec::new()));
                while !OVER.load(Ordering::Relaxed) {
                    blocks.step(&mut rng);
                }
            })
        })
        .collect();
    let (mut rng, mut blocks) = (Rng::new(99), Blocks(Vec::new()));
    let begin = Instant::now();
    let mut children = 0;
    while begin.elapsed() < Duration::from_millis(1500) {
        for thread in &threads {
            // SAFETY: the thread has not been joined.
            unsafe { libc::pthread_kill(thread.as_pthread_t(), libc::SIGUSR1) };
        }
        blocks.step(&mut rng);
        if children < 50 && rng.below(20) == 0 {
            // SAFETY: the child allocates, and ends.
            let child = unsafe { libc::fork() };
            if child == 0 {
                for _ in 0..200 {
                    blocks.step(&mut rng);
                }
                // SAFETY: ends the child.
                unsafe { libc::_exit(7) };
            }
            let mut status = 0;
            // SAFETY: waits for the child.
            while unsafe { libc::waitpid(child, &mut status, 0) } != child {}
            assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 7, "{status:#x}");
            children += 1;
        }
    }
    OVER.store(true, Ordering::Relaxed);
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    let handled = HANDLED.load(Ordering::Relaxed);
    assert!(children > 0 && handled > 20, "{children} children, {handled} signals");
}
