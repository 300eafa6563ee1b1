//! How the process looks at itself: what `sylvan ps` tells from outside, by the same code (`sylvan_sight`).
//!
//! A look is one of an OS thread of the runtime's that is there for it. It stops nobody and takes no lock: it
//! reads the memory of the process as a tool from outside would, through the kernel. So if a thread ends
//! meanwhile, or a stack is unmapped, the worst is a piece that cannot be read. It stands on no stack that it
//! looks at, so what it knows of a lock is found on no green thread's.

#[cfg(any(target_os = "linux", target_os = "android"))]
mod deadlock;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod list;
#[cfg(any(target_os = "linux", target_os = "android"))]
#[allow(unsafe_code, reason = "has the kernel read the memory of this process")]
mod own;
mod reaction;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::at_signal;
use crate::blocking::blocking;
use crate::current;
use crate::env;
use crate::report;
use crate::scheduler;
use crate::sys::file::{File, Stderr};
#[cfg(any(target_os = "linux", target_os = "android"))]
use list::list;
pub(crate) use reaction::Reaction;

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn list(_: Option<u64>) -> io::Result<String> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "a process cannot look at itself here"))
}

/// Writes what each green thread of this process does and waits for: what `sylvan ps` shows of it from outside, for
/// a program's own page or log.
///
/// ```text
/// process 4711: 3 green threads, 2 workers (runtime in /usr/bin/server)
///       ID  NAME                  STATE         CORE  WAITS FOR
///        1  acceptor              parked           0  TCP 127.0.0.1:80, accept
///        2  writer                parked           1  sleep, 1.2 s left
///        3  reader                parked           0  mutex 0x7f1c40000b70, most likely held by 'writer' (2), for 2.1 s
/// ```
///
/// The text is for people, and changes with releases; `sylvan dump PID` has the same for programs. Nobody is stopped
/// meanwhile: each thread is shown as it was at some moment, and one that is spawned or ends meanwhile is shown or not.
/// The calling green thread is parked, and an ordinary one is blocked, until an OS thread of the runtime's has looked.
/// Before the runtime has started there are no green threads, which is what it says then.
///
/// `SYLVAN_DUMP=SIGQUIT` in the environment has the same written to standard error at a signal, or with
/// `SYLVAN_DUMP_FILE=FILE` to the end of a file.
///
/// # Errors
///
/// What `out` says; what the kernel says if it has no OS thread, or if it does not let the process read its own memory
/// (a system call filter without `process_vm_readv`); `Unsupported` where there is no such call.
///
/// # Platform-specific behavior
///
/// Linux alone.
///
/// # Examples
///
/// ```
/// # #[cfg(target_os = "linux")] {
/// let parked = sylvan::Builder::new().name("parked".to_owned()).spawn(sylvan::thread::park)?;
/// let mut page = Vec::new();
/// sylvan::dump(&mut page)?;
/// assert!(String::from_utf8_lossy(&page).contains("  parked  "));
/// parked.thread().unpark();
/// parked.join().unwrap();
/// # }
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn dump(out: &mut impl Write) -> io::Result<()> {
    let asker = current::green().map(|task| task.id.get());
    let look = move || list(asker);
    let text = blocking(|| scheduler::call_os_thread("sylvan-dump", look))??;
    out.write_all(text.as_bytes())
}

/// What the environment says of dumps.
#[derive(Debug)]
pub(crate) struct Settings {
    signal: i32,
    file: Option<PathBuf>,
}

impl Settings {
    /// `None` if none are asked for.
    ///
    /// # Errors
    ///
    /// Where a variable has no usable value.
    pub(crate) fn from_env() -> io::Result<Option<Self>> {
        const FILE: &str = "SYLVAN_DUMP_FILE";
        let Some(signal) = at_signal::from_env("SYLVAN_DUMP")? else { return Ok(None) };
        let file = env::file(FILE)?;
        if let Some(path) = &file {
            File::append(path).map_err(|error| env::cannot_write(FILE, path, error))?;
        }
        Ok(Some(Self { signal, file }))
    }

    /// Dumps at the signal, from now on. The runtime has started.
    pub(crate) fn attend(self) {
        let Self { signal, file } = self;
        at_signal::attend("sylvan-dump", signal, false, move || {
            if let Err(error) = list(None).and_then(|text| write(file.as_deref(), &text)) {
                report::say(format_args!("sylvan: what threads do cannot be written: {error}\n"));
            }
        });
    }
}

fn write(file: Option<&Path>, text: &str) -> io::Result<()> {
    match file {
        Some(file) => File::append(file)?.write_all(text.as_bytes()),
        None => Stderr.write_patiently(text.as_bytes()),
    }
}
