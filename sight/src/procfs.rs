//! What the kernel says of a process, in files (`/proc/PID`).

use std::io::Read;
use std::ops::Range;
use std::path::PathBuf;

use crate::hash::HashMap;
use crate::memory::Memory;

/// A process that is looked at: its memory, and what the kernel says of it.
///
/// Of what is left of one, in a core file, there is the memory alone: the methods return nothing.
pub trait Procfs: Memory {
    /// Opens a file, by its name below `/proc/PID`.
    fn open(&self, name: &str) -> Option<Box<dyn Read + '_>>;

    /// What a link leads to, by its name below `/proc/PID`.
    fn link(&self, name: &str) -> Option<String>;

    /// What the clock says that never jumps (`CLOCK_MONOTONIC`).
    fn now_ns(&self) -> Option<u64>;

    /// The numbers that things have which are in a folder, by its name below `/proc/PID`.
    fn numbers(&self, folder: &str) -> Vec<u32>;

    /// Of each Unix socket in the network that the process is in the number of its other end, as far as whoever looks
    /// may ask the kernel for that.
    fn unix_peers(&self) -> HashMap<u64, u64> {
        HashMap::default()
    }

    /// The numbers of its OS threads.
    fn os_threads(&self) -> Vec<u32> {
        self.numbers("task")
    }

    /// All of a file.
    fn text(&self, name: &str) -> Option<String> {
        let mut text = String::new();
        self.open(name)?.read_to_string(&mut text).ok()?;
        Some(text)
    }

    /// The name of an OS thread.
    fn name_of(&self, os_thread: u32) -> Option<String> {
        Some(self.text(&format!("task/{os_thread}/comm"))?.trim_end().to_owned())
    }

    /// The call of the kernel that an OS thread is in, if it is in one.
    fn call(&self, os_thread: u32) -> Option<Call> {
        Call::parse(&self.text(&format!("task/{os_thread}/syscall"))?)
    }
}

/// Whether an OS thread of that name is one that the runtime has started.
#[must_use]
pub fn is_of_runtime(name: &str) -> bool {
    name.starts_with("sylvan-")
}

/// A call of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// Which one, as the kernel counts them.
    pub number: i64,
    /// Its arguments.
    pub arguments: [u64; 6],
    /// The stack pointer of who has called.
    pub stack_pointer: u64,
}

impl Call {
    /// Parses `/proc/PID/task/TID/syscall`: the number, six arguments, and where the stack and the code are; or
    /// `running`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let number = words.next()?.parse().ok()?;
        let mut hex = words.map(|word| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok());
        let mut arguments = [0; 6];
        for argument in &mut arguments {
            *argument = hex.next()??;
        }
        Some(Self { number, arguments, stack_pointer: hex.next()?? })
    }

    /// The address of the word at which it waits in the kernel, without a deadline.
    #[cfg(target_os = "linux")]
    pub(crate) fn futex_for_ever(self) -> Option<u64> {
        let [word, operation, _, time, ..] = self.arguments;
        let operation = operation as libc::c_int & libc::FUTEX_CMD_MASK;
        let waits = [libc::FUTEX_WAIT, libc::FUTEX_WAIT_BITSET].contains(&operation);
        (self.number == libc::SYS_futex && waits && time == 0).then_some(word)
    }

    /// Nobody can tell.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn futex_for_ever(self) -> Option<u64> {
        None
    }
}

/// A mapping of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Its lowest address.
    pub start: u64,
    /// The one behind its highest.
    pub end: u64,
    /// Where in the file it begins.
    pub offset: u64,
    /// The file.
    pub file: PathBuf,
}

impl Mapping {
    /// Parses a line of `/proc/PID/maps`, if it is of a file, or of the object that the kernel maps everywhere.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let Range { start, end } = bounds(line)?;
        let mut fields = line.splitn(6, ' ');
        let offset = u64::from_str_radix(fields.nth(2)?, 16).ok()?;
        let file = fields.nth(2)?.trim_start();
        let is_there = file.starts_with('/') || file == "[vdso]";
        is_there.then(|| Self { start, end, offset, file: PathBuf::from(file) })
    }
}

/// From where to where a line of `/proc/PID/maps` is.
pub(crate) fn bounds(line: &str) -> Option<Range<u64>> {
    let (start, end) = line.split(' ').next()?.split_once('-')?;
    Some(u64::from_str_radix(start, 16).ok()?..u64::from_str_radix(end, 16).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_file_is_a_mapping() {
        let line = "55d0c7a00000-55d0c7a21000 r--p 00001000 fe:00 1234           /a b/c (deleted)";
        let expected = Mapping {
            start: 0x55d0_c7a0_0000,
            end: 0x55d0_c7a2_1000,
            offset: 0x1000,
            file: "/a b/c (deleted)".into(),
        };
        assert_eq!(Mapping::parse(line), Some(expected));
        let others =
            ["7ffd0-7ffd1 rw-p 00000000 00:00 0     [stack]", "7ffd0-7ffd1 rw-p 0 00:00 0 "];
        assert_eq!(others.map(Mapping::parse), [None, None]);
    }

    #[test]
    fn a_call_is_parsed_and_who_runs_is_in_none() {
        let text = "35 0x7ff0 0x2 0x3 0x4 0x5 0x6 0x7ffe1234 0x7f00\n";
        let (arguments, stack_pointer) = ([0x7ff0, 2, 3, 4, 5, 6], 0x7ffe_1234);
        let call = Call { number: 35, arguments, stack_pointer };
        assert_eq!(Call::parse(text), Some(call));
        assert_eq!(Call::parse("running\n"), None);
    }
}
