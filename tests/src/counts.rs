//! What a process has of the kernel's, to be the same after a scene as before it.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

/// How long something that is on its way may take to come.
const SOON: Duration = Duration::from_secs(20);

/// The open descriptors of this process, by number.
///
/// # Panics
///
/// Where the kernel does not list them.
pub fn descriptors() -> Vec<i32> {
    let mut numbers = numbers_in("/proc/self/fd");
    // One was that of the list itself.
    numbers.retain(|number| fs::read_link(format!("/proc/self/fd/{number}")).is_ok());
    numbers
}

/// How many OS threads this process has.
///
/// # Panics
///
/// Where the kernel does not list them.
pub fn os_threads() -> usize {
    numbers_in("/proc/self/task").len()
}

/// An OS thread, as the kernel lists it.
#[derive(Debug)]
pub struct OsThread {
    /// Its number, which no other has while it lasts.
    pub number: i32,
    /// Its name; that of the one that started it until it has given itself another.
    pub name: String,
    folder: PathBuf,
}

impl OsThread {
    /// What the kernel tells of it in the file of that name; nothing where it does not, or when the
    /// thread has ended.
    #[must_use]
    pub fn read(&self, file: &str) -> String {
        fs::read_to_string(self.folder.join(file)).unwrap_or_default()
    }
}

/// The OS threads of a process.
///
/// # Errors
///
/// Where the kernel does not list them, or there is no such process.
pub fn os_threads_of(process: u32) -> io::Result<Vec<OsThread>> {
    let listed = |entry: io::Result<fs::DirEntry>| {
        let entry = entry?;
        let number = entry.file_name().to_string_lossy().parse().map_err(io::Error::other)?;
        let mut thread = OsThread { number, name: String::new(), folder: entry.path() };
        thread.name = thread.read("comm").trim_end().to_owned();
        Ok(thread)
    };
    fs::read_dir(format!("/proc/{process}/task"))?.map(listed).collect()
}

/// The address space of this process, in bytes: all that was ever mapped for stacks is in it.
///
/// # Panics
///
/// Where the kernel does not tell.
pub fn address_space() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").expect("what the kernel counts");
    let pages = statm.split(' ').next().and_then(|pages| pages.parse::<u64>().ok());
    pages.expect("a number of pages") * rustix::param::page_size() as u64
}

/// Waits until `holds`.
///
/// # Panics
///
/// If it takes too long.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < SOON, "never: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn numbers_in(folder: &str) -> Vec<i32> {
    let listed = fs::read_dir(folder).expect("a folder of the kernel's");
    let names = listed.map(|entry| entry.expect("an entry of the folder").file_name());
    let mut numbers: Vec<i32> =
        names.filter_map(|name| name.to_str().and_then(|name| name.parse().ok())).collect();
    numbers.sort_unstable();
    numbers
}
