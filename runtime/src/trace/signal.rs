//! The signal at which a recording is written, if the environment names one.
//!
//! The handler counts, and wakes an OS thread that is there for nothing else: so nobody whom the signal
//! interrupts is held up, and the handler calls nothing but the kernel.
//!
//! A signal that ends a process that has no handler for it (`SIGINT`, `SIGTERM`, `SIGHUP`, `SIGQUIT`) still
//! does, once the file is written, if it would have.

use std::env;
use std::io;
use std::mem::{self, MaybeUninit};
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use sylvan_sight::file::Why;

use super::write;
use crate::report;
use crate::scheduler;
use crate::sys::futex;
use crate::sys::thread;

const NAMES: [(&str, i32); 8] = [
    ("SIGUSR1", libc::SIGUSR1),
    ("SIGUSR2", libc::SIGUSR2),
    ("SIGQUIT", libc::SIGQUIT),
    ("SIGHUP", libc::SIGHUP),
    ("SIGINT", libc::SIGINT),
    ("SIGTERM", libc::SIGTERM),
    ("SIGURG", libc::SIGURG),
    ("SIGWINCH", libc::SIGWINCH),
];

/// What the environment says.
pub(super) fn from_env() -> io::Result<Option<i32>> {
    let Some(value) = env::var_os("SYLVAN_TRACE_SIGNAL") else { return Ok(None) };
    let named = |text: &str| {
        let same = |(name, _): &&(&str, i32)| *name == text || name[3..] == *text;
        NAMES.iter().find(same).map(|(_, signal)| *signal)
    };
    let numbered = |text: &str| text.parse().ok().filter(|n| NAMES.iter().any(|(_, it)| it == n));
    let signal = value.to_str().and_then(|text| named(text).or_else(|| numbered(text)));
    signal.map(Some).ok_or_else(|| {
        let names = NAMES.map(|(name, _)| name).join(", ");
        let value = value.to_string_lossy();
        let why = format!("`SYLVAN_TRACE_SIGNAL` expected one of {names}, got `{value}`");
        io::Error::new(io::ErrorKind::InvalidInput, why)
    })
}

/// How often it has come.
static N: AtomicU32 = AtomicU32::new(0);

extern "C" fn on_signal(_: i32) {
    // Release pairs with the acquire in `attend`.
    N.fetch_add(1, Ordering::Release);
    futex::wake(&raw const N, 1);
}

/// Writes the file whenever the signal comes.
pub(super) fn attend(signal: i32) {
    let mut before = MaybeUninit::uninit();
    // SAFETY: zero is a valid `sigaction`; the handler does no more than a handler may.
    let before: libc::sigaction = unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK;
        action.sa_sigaction = on_signal as *const () as libc::sighandler_t;
        libc::sigaction(signal, &raw const action, before.as_mut_ptr());
        before.assume_init()
    };
    let fatal = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT];
    let ends = before.sa_sigaction == libc::SIG_DFL && fatal.contains(&signal);
    let attend = move || {
        let mut seen = 0;
        loop {
            // Acquire pairs with the release in `on_signal`.
            let n = N.load(Ordering::Acquire);
            if n == seen {
                futex::wait(&N, n, None);
                continue;
            }
            seen = n;
            write::write(Why::Signal);
            if ends {
                // SAFETY: what this process had before.
                unsafe { libc::sigaction(signal, &raw const before, ptr::null_mut()) };
                thread::signal_process(signal);
            }
        }
    };
    if let Err(error) = scheduler::start_os_thread("sylvan-trace".to_owned(), attend) {
        report::say(format_args!("sylvan: no trace is written at signals: {error}\n"));
    }
}
