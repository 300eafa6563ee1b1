//! A program with more thread-locals than a stack's headroom holds.
#![allow(clippy::disallowed_methods, reason = "the tests block OS threads on purpose")]

use std::cell::Cell;
use std::time::{Duration, Instant};

thread_local! {
    static LARGE: Cell<[u8; 12_000]> = const { Cell::new([7; 12_000]) };
}

#[test]
fn thread_locals_outlive_an_idle_time_in_which_free_stacks_are_trimmed() {
    if sylvan::tls_mode().unwrap() != sylvan::TlsMode::Own {
        return;
    }
    for _ in 0..3 {
        let start = || {
            sylvan::spawn(|| {
                assert_eq!(LARGE.get(), [7; 12_000]);
                LARGE.set([8; 12_000]);
                sylvan::sleep_until(Instant::now() + Duration::from_millis(10));
                assert_eq!(LARGE.get(), [8; 12_000]);
            })
        };
        // More than the cores keep for themselves, so that some go back to the pool.
        let threads: Vec<_> = (0..300).map(|_| start()).collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        // Long enough for the monitor to park, which trims.
        std::thread::sleep(Duration::from_millis(300));
    }
}
