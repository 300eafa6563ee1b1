//! Many children at once, each started and awaited by a thread of its own.
//!
//! The arguments are how many, and for how many seconds each sleeps:
//!
//! ```text
//! cargo run --release --bin children 100 0.5
//! ```
//!
//! It prints how many of them ended well, how long it took, and how many OS threads the process had
//! at most. To wait for a child takes none; to start one takes the kernel a while, so some help the
//! workers out, no more than there are workers (two, where there is one).
//!
//! ```text
//! 100 children ended well
//! took 0.62 s
//! OS threads: 6
//! ```

use std::env;
use std::error::Error;
use std::process::Command;
use std::thread;
use std::time::Instant;

use os_threads::Most;

#[path = "../parts/os_threads.rs"]
mod os_threads;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [n_children, seconds] = &arguments[..] else {
        return Err("usage: children N SECONDS".into());
    };
    let n_children: usize = n_children.parse()?;

    let start = Instant::now();
    let threads: Vec<_> = (0..n_children)
        .map(|_| {
            let mut sleep = Command::new("sleep");
            sleep.arg(seconds);
            thread::spawn(move || sleep.spawn()?.wait())
        })
        .collect();
    let most = Most::until(|| threads.iter().all(thread::JoinHandle::is_finished));
    let took = start.elapsed();
    let mut n_well = 0;
    for thread in threads {
        n_well += usize::from(thread.join().unwrap()?.success());
    }
    println!("{n_well} children ended well");
    println!("took {:.2} s", took.as_secs_f64());
    println!("{most}");
    Ok(())
}
