//! How many OS threads this process has, where the system tells (Linux).

use std::fmt;
use std::fs;
use std::thread;
use std::time::Duration;

/// The largest of several counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Most(Option<usize>);

impl Most {
    /// Counts now and then until `is_over`. For `main`, which is an OS thread of its own: to read
    /// the count takes it no helper.
    pub(crate) fn until(mut is_over: impl FnMut() -> bool) -> Most {
        let mut most = Most(count());
        while !is_over() {
            thread::sleep(Duration::from_millis(1));
            most = most.max(Most(count()));
        }
        most
    }
}

impl fmt::Display for Most {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(n) => write!(f, "OS threads: {n}"),
            None => f.write_str("OS threads: unknown"),
        }
    }
}

fn count() -> Option<usize> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let threads = status.lines().find_map(|line| line.strip_prefix("Threads:"))?;
    threads.trim().parse().ok()
}
