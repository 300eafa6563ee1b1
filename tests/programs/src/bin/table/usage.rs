//! What the processes of a program take.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use programs::Program;

/// What the kernel has for each OS thread that its status does not show.
const KERNEL_STACK: f64 = 16.0 * 1024.0;

/// At one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    pub(crate) cpu: Duration,
    pub(crate) os_threads: usize,
    /// In bytes. A page that several processes have, such as one of a library, counts once for all of them.
    pub(crate) memory: f64,
}

/// Adds up all processes of the program's group.
pub(crate) fn of(program: &Program) -> Usage {
    let mut sum = Usage { cpu: cpu(program), ..Usage::default() };
    for (process, _) in processes(program) {
        let read = |name| fs::read_to_string(process.join(name)).unwrap_or_default();
        let (status, rollup) = (read("status"), read("smaps_rollup"));
        let n_threads = number(&status, "Threads:");
        sum.os_threads += n_threads as usize;
        sum.memory += (number(&rollup, "Pss:") + number(&status, "VmPTE:")) * 1024.0;
        sum.memory += n_threads * KERNEL_STACK;
    }
    sum
}

/// The processor time of all of them so far.
pub(crate) fn cpu(program: &Program) -> Duration {
    let ticks: u64 = processes(program).map(|(_, ticks)| ticks).sum();
    Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second())
}

/// The processes of the program's group, by their folders, and how many ticks each has taken.
fn processes(program: &Program) -> impl Iterator<Item = (PathBuf, u64)> {
    let ticks = |process: &Path| {
        let stat = fs::read_to_string(process.join("stat")).ok()?;
        // Behind the name, which may have blanks: state, parent, group, …, user and system time.
        let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
        let number = |at: usize| fields.get(at).and_then(|it| it.parse::<u64>().ok()).unwrap_or(0);
        (number(2) == u64::from(program.id())).then(|| number(11) + number(12))
    };
    let all = fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    all.filter_map(move |process| Some((process.path(), ticks(&process.path())?)))
}

/// A number of one of the kernel's lists.
fn number(list: &str, name: &str) -> f64 {
    let line = list.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.trim().trim_end_matches("kB").trim().parse().unwrap_or(0.0)
}
