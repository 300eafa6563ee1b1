//! What the numbers were measured on, and what was measured.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::read_to_string;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::peer;
use crate::sys;

/// Names and values, in order.
pub(crate) type Facts = Vec<(String, String)>;

/// Dependencies whose versions belong to a result.
const VERSIONED: [&str; 8] =
    ["may", "may_minihttp", "tokio", "smol", "async-io", "io-uring", "corosensei", "httparse"];

/// Names and values, for the head of a report.
pub(crate) fn describe(processors: &[usize], go: bool) -> Facts {
    let sources = peer::sources();
    let mut facts = vec![
        ("processor", processor()),
        ("processors", format!("{}{}", processors.len(), siblings(processors))),
        ("kernel", word("/proc/sys/kernel/osrelease")),
        ("glibc", glibc()),
        ("rustc", first_line("rustc", &["--version"])),
        ("commit", first_line("git", &["-C", &sources.to_string_lossy(), "rev-parse", "HEAD"])),
        ("load before", word("/proc/loadavg").chars().take_while(|&c| c != ' ').collect()),
    ];
    if go {
        facts.push(("go", first_line(peer::go(), &["version"])));
    }
    let lock = read_to_string(sources.join("Cargo.lock")).unwrap_or_default();
    facts.extend(VERSIONED.iter().filter_map(|name| Some((*name, version(&lock, name)?))));
    facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Sees how much of the machine other processes use, from its start on.
#[derive(Debug)]
pub(crate) struct Meter {
    start: Instant,
    busy: Duration,
    own: Duration,
}

impl Meter {
    pub(crate) fn start() -> Meter {
        Meter { start: Instant::now(), busy: busy(), own: sys::own_cpu_time() }
    }

    /// The time that others than this process and its ended children have used of all processors,
    /// and the time that there was to use.
    pub(crate) fn others(&self) -> (Duration, Duration) {
        let others = (busy() - self.busy).saturating_sub(sys::own_cpu_time() - self.own);
        (others, self.start.elapsed().mul_f64(processors()))
    }
}

/// The time that all processors together have been busy since the machine started. Stolen time
/// is in it: it is somebody else's.
fn busy() -> Duration {
    let stat = read_to_string("/proc/stat").unwrap_or_default();
    let ticks = |line: &str| -> Vec<u64> {
        line.split_whitespace().skip(1).filter_map(|word| word.parse().ok()).collect()
    };
    let ticks = stat.lines().next().map(ticks).unwrap_or_default();
    // user, nice, system, idle, iowait, irq, softirq, steal; what follows is in user already.
    let idle = |index: &usize| [3, 4].contains(index);
    let busy: u64 = (0..ticks.len().min(8)).filter(|i| !idle(i)).map(|i| ticks[i]).sum();
    Duration::from_millis(busy * 1000 / sys::ticks_per_second())
}

fn processors() -> f64 {
    let stat = read_to_string("/proc/stat").unwrap_or_default();
    let count = stat.lines().skip(1).take_while(|line| line.starts_with("cpu")).count();
    count.max(1) as f64
}

/// How much memory programs may still take, in KiB.
pub(crate) fn available_memory_kib() -> u64 {
    let info = read_to_string("/proc/meminfo").unwrap_or_default();
    let line = info.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    line.and_then(|rest| rest.trim_end_matches("kB").trim().parse().ok()).unwrap_or(0)
}

fn processor() -> String {
    let info = read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name"));
    model.map_or("?".to_owned(), |rest| rest.trim_start_matches([' ', '\t', ':']).to_owned())
}

fn glibc() -> String {
    let line = first_line("getconf", &["GNU_LIBC_VERSION"]);
    line.trim_start_matches("glibc ").to_owned()
}

fn word(path: &str) -> String {
    read_to_string(path).map_or("?".to_owned(), |text| text.trim().to_owned())
}

/// A word about processors that share a core: they are slower than those that do not.
fn siblings(processors: &[usize]) -> String {
    let path = |p| format!("/sys/devices/system/cpu/cpu{p}/topology/thread_siblings_list");
    let lists: HashSet<String> = processors.iter().map(|p| word(&path(p))).collect();
    if lists.len() < processors.len() {
        format!(" on {} cores", lists.len())
    } else {
        String::new()
    }
}

fn first_line(program: impl AsRef<OsStr>, words: &[&str]) -> String {
    let output = Command::new(program).args(words).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let line = text.ok().and_then(|text| text.lines().next().map(str::to_owned));
    line.unwrap_or_else(|| "?".to_owned())
}

/// The version of a package in a lock file.
fn version(lock: &str, name: &str) -> Option<String> {
    let entry = lock
        .split("[[package]]")
        .find(|entry| entry.lines().any(|line| line == format!("name = \"{name}\"")))?;
    let line = entry.lines().find_map(|line| line.strip_prefix("version = "))?;
    Some(line.trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn a_version_is_that_of_the_very_package() {
        let lock = "[[package]]\nname = \"may_queue\"\nversion = \"1\"\n\n\
            [[package]]\nname = \"may\"\nversion = \"2.3\"\n";
        assert_eq!(version(lock, "may").as_deref(), Some("2.3"));
        assert_eq!(version(lock, "tokio"), None);
    }
}
