//! What becomes of the memory of stacks: it comes back when the threads have ended.
#![cfg(target_os = "linux")]

use std::fs;
use std::hint::black_box;
use std::mem::MaybeUninit;

use std_shim::sync::{Arc, Barrier};
use std_shim::thread;

use tests::counts::eventually;
use tests::process::Process;

tests::in_each_mode!(the_memory_of_deep_stacks_comes_back_after_100_000_threads);

/// Resident memory of this process, in KiB.
fn resident_kib() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("what the kernel counts");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("resident memory");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number of KiB")
}

/// Touches a page of the stack for each level.
#[inline(never)]
fn deep(levels: usize) -> usize {
    let page = MaybeUninit::<[u8; 4_000]>::uninit();
    black_box(&page);
    if levels == 0 { 0 } else { 1 + black_box(deep(levels - 1)) }
}

fn the_memory_of_deep_stacks_comes_back_after_100_000_threads(process: &Process) {
    const AT_A_TIME: usize = 1_000;
    process.env("SYLVAN_WORKERS", "2").passes(|| {
        let crowd = |met: Option<Arc<Barrier>>| {
            let body = move || {
                deep(128);
                if let Some(met) = &met {
                    // So that each has a stack of its own.
                    met.wait();
                }
            };
            let threads: Vec<_> = (0..AT_A_TIME).map(|_| thread::spawn(body.clone())).collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        };
        thread::spawn(|| ()).join().unwrap();
        let before = resident_kib();
        crowd(Some(Arc::new(Barrier::new(AT_A_TIME))));
        let during = resident_kib();
        assert!(during > before + (AT_A_TIME << 9) / 2, "{before} KiB, {during} with a crowd");
        (1..100_000 / AT_A_TIME).for_each(|_| crowd(None));
        // A thread's block, and where its frames began, stay warm: some pages each.
        let near = before + AT_A_TIME * 24 + (8 << 10);
        eventually("memory is back", || resident_kib() < near);
        println!("{before} KiB at first, {during} with a crowd, {} at last", resident_kib());
    });
}
