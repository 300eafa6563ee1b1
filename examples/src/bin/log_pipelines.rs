//! Pipelines of threads and channels: three threads for each of N logs, and a bounded channel between two.
//!
//! The first thread reads the lines of its log, the second takes the status and the size out of each, the
//! third adds up. A last channel collects the sums of all. Reading begins once all threads are there. The
//! arguments are how many logs there are and how many lines each has:
//!
//! ```text
//! cargo run --release --bin log_pipelines 300 1000
//! ```
//!
//! It prints what was added up, and how many OS threads the process had at most:
//!
//! ```text
//! 300000 lines, 3000 of them errors, 29850000 bytes
//! OS threads: 4
//! ```

use std::env;
use std::error::Error;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::sync::{Arc, Barrier};
use std::thread;

use os_threads::Most;

#[path = "../parts/os_threads.rs"]
mod os_threads;

/// How many lines may wait between two threads.
const N_WAITING: usize = 16;

/// What is in a line.
struct Entry {
    status: u16,
    n_bytes: u64,
}

#[derive(Default)]
struct Sums {
    n_lines: u64,
    n_errors: u64,
    n_bytes: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [n_logs, n_lines] = &arguments[..] else {
        return Err("usage: log_pipelines LOGS LINES".into());
    };
    let (n_logs, n_lines): (usize, u64) = (n_logs.parse()?, n_lines.parse()?);

    let all_are_there = Arc::new(Barrier::new(n_logs));
    let (to_all, all) = channel();
    for _ in 0..n_logs {
        let (to_parse, lines) = sync_channel(N_WAITING);
        let (to_add, entries) = sync_channel(N_WAITING);
        let to_all = to_all.clone();
        thread::spawn(move || to_all.send(add(&entries)));
        thread::spawn(move || parse(&lines, &to_add));
        let all_are_there = Arc::clone(&all_are_there);
        thread::spawn(move || {
            all_are_there.wait();
            read(n_lines, &to_parse);
        });
    }
    // The channel ends when the last thread that adds has sent.
    drop(to_all);
    let total = thread::spawn(move || all.iter().fold(Sums::default(), Sums::and));
    let most = Most::until(|| total.is_finished());
    let Sums { n_lines, n_errors, n_bytes } = total.join().unwrap();
    println!("{n_lines} lines, {n_errors} of them errors, {n_bytes} bytes");
    println!("{most}");
    Ok(())
}

/// Reads a log, which is made up.
fn read(n_lines: u64, to_parse: &SyncSender<String>) {
    for n in 0..n_lines {
        let status = if n % 100 == 99 { 500 } else { 200 };
        to_parse.send(format!("GET /page/{n} {status} {}", 50 + n % 100)).unwrap();
    }
}

fn parse(lines: &Receiver<String>, to_add: &SyncSender<Entry>) {
    for line in lines {
        let mut words = line.split(' ').skip(2);
        let mut number = || words.next().and_then(|word| word.parse().ok());
        let (Some(status), Some(n_bytes)) = (number(), number()) else { continue };
        to_add.send(Entry { status: status as u16, n_bytes }).unwrap();
    }
}

fn add(entries: &Receiver<Entry>) -> Sums {
    entries.iter().fold(Sums::default(), |sums, entry| {
        sums.and(Sums {
            n_lines: 1,
            n_errors: u64::from(entry.status >= 500),
            n_bytes: entry.n_bytes,
        })
    })
}

impl Sums {
    fn and(self, more: Sums) -> Sums {
        Sums {
            n_lines: self.n_lines + more.n_lines,
            n_errors: self.n_errors + more.n_errors,
            n_bytes: self.n_bytes + more.n_bytes,
        }
    }
}
