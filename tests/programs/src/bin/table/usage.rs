//! What the processes of a program take.

use std::fs;
use std::time::Duration;

use programs::Program;

/// What the kernel has for each OS thread that its status does not show.
const KERNEL_STACK: f64 = 16.0 * 1024.0;

/// At one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    pub(crate) cpu: Duration,
    pub(crate) os_threads: usize,
    /// In bytes.
    pub(crate) memory: f64,
}

/// Adds up all processes of the program's group.
pub(crate) fn of(program: &Program) -> Usage {
    let mut sum = Usage::default();
    let Ok(processes) = fs::read_dir("/proc") else { return sum };
    for process in processes.filter_map(Result::ok) {
        let read = |name| fs::read_to_string(process.path().join(name)).ok();
        let Some(stat) = read("stat") else { continue };
        // Behind the name, which may have blanks: state, parent, group, …, user and system time.
        let fields: Vec<&str> =
            stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let number = |at: usize| fields.get(at).and_then(|it| it.parse::<u64>().ok()).unwrap_or(0);
        if number(2) != u64::from(program.id()) {
            continue;
        }
        let ticks = number(11) + number(12);
        sum.cpu += Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second());
        let status = read("status").unwrap_or_default();
        let field = |name| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            line.trim_end_matches("kB").trim().parse().unwrap_or(0.0)
        };
        sum.os_threads += field("Threads:") as usize;
        sum.memory +=
            (field("VmRSS:") + field("VmPTE:")) * 1024.0 + field("Threads:") * KERNEL_STACK;
    }
    sum
}
