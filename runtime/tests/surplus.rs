//! Libraries with thread-locals in the static block, which are loaded while there are few green threads: each has as much
//! room there as on OS threads.
#![cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"))]
#![allow(clippy::disallowed_methods, reason = "the test blocks an OS thread on purpose")]

mod library;

use std::iter;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use sylvan::TlsMode;

use library::{Fill, load, of_a_byte, try_to_load, with_many_threads};

#[test]
fn a_program_of_few_threads_loads_libraries_with_large_thread_locals() {
    if sylvan::tls_mode().unwrap() == TlsMode::Shared {
        println!("skipped: thread-locals are the worker's in this mode");
        return;
    }
    const N_THREADS: usize = 30;
    const OPTIONS: [&str; 2] = ["-ftls-model=initial-exec", "-DFILL=500"];
    let n_running = Arc::new(AtomicUsize::new(0));
    let functions = Arc::new(OnceLock::<[(Fill, Fill); 2]>::new());
    let threads: Vec<_> = (0..N_THREADS)
        .map(|n| {
            let (functions, n_running) = (Arc::clone(&functions), Arc::clone(&n_running));
            sylvan::spawn(move || {
                n_running.fetch_add(1, Ordering::Relaxed);
                let both = loop {
                    if let Some(both) = functions.get() {
                        break both;
                    }
                    sylvan::thread::park();
                };
                for (fill, _) in both {
                    fill(n as i32);
                }
                sylvan::yield_now();
                let text = format!("{n:>10} {:?}", Some(n));
                assert!(both.iter().all(|(_, is_filled)| is_filled(n as i32) == 1));
                text
            })
        })
        .collect();
    while n_running.load(Ordering::Relaxed) < N_THREADS {
        sylvan::yield_now();
    }
    let filling = ["first", "second"].map(|name| {
        let library = load(name, &OPTIONS);
        (of_a_byte(library, c"fill"), of_a_byte(library, c"is_filled"))
    });
    functions.set(filling).expect("once");
    for (thread, n) in threads.into_iter().zip(0..) {
        thread.thread().unpark();
        assert_eq!(thread.join().unwrap(), format!("{n:>10} Some({n})"));
    }
    // What has a place keeps it, and so there is room for one more; what there is no room for is told so.
    with_many_threads(|| {
        load("third", &["-ftls-model=initial-exec", "-DFILL=300"]);
        assert!(try_to_load("fourth", &["-ftls-model=initial-exec", "-DFILL=1200"]).is_err());
        let threads = iter::repeat_with(|| sylvan::spawn(move || filling.map(|(fill, _)| fill(7))));
        threads.take(100).for_each(|thread| assert_eq!(thread.join().unwrap(), [0, 0]));
    });
}
