//! What is done at a signal that the environment names (`SYLVAN_DUMP`, `SYLVAN_TRACE_SIGNAL`).
//!
//! The handler counts, and wakes an OS thread that is there for nothing else: so nobody whom the signal
//! interrupts is held up, and the handler calls nothing but the kernel. That OS thread has the signal open, so
//! that it comes also where all others have blocked it.

use std::io;

use sylvan_sight::signals::NAMES;

use crate::env;

/// Real-time signals, which have no names: those that libc leaves to programs, but for the last, which the layer of
/// whole programs has for itself.
const REAL_TIME: std::ops::Range<i32> = 34..64;

/// The signal that the variable `name` names: by its name, with `SIG` or without, or by its number.
///
/// # Errors
///
/// Where that is none, or one that no program may handle.
pub(crate) fn from_env(name: &str) -> io::Result<Option<i32>> {
    env::on_linux_alone(name, env::parsed(name, "a signal such as `SIGQUIT` or `SIGUSR1`", parse)?)
}

fn parse(text: &str) -> Option<i32> {
    let is_it = |(name, number): &&(&str, i32)| {
        *name == text || name[3..] == *text || number.to_string() == text
    };
    let named = NAMES.iter().find(is_it).map(|(_, signal)| *signal);
    named.or_else(|| text.parse().ok().filter(|number| REAL_TIME.contains(number)))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use handler::{attend, attended};

/// As where there are handlers: `from_env` has said that there are none.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn attend(_: &str, _: i32, _: bool, _: impl FnMut() + Send + 'static) {}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod handler {
    use std::mem::{self, MaybeUninit};
    use std::ptr;
    use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

    use crate::report;
    use crate::scheduler;
    use crate::sys::{futex, signal, thread};

    /// How often each has come.
    static COUNTS: [AtomicU32; 64] = [const { AtomicU32::new(0) }; 64];

    static ATTENDED: AtomicU64 = AtomicU64::new(0);

    /// Those that are attended: a bit for each, the lowest for signal 1.
    pub(crate) fn attended() -> u64 {
        ATTENDED.load(Ordering::Relaxed)
    }

    extern "C" fn on_signal(signal: i32) {
        let count = &COUNTS[signal as usize];
        // Release pairs with the acquire in `attend`.
        count.fetch_add(1, Ordering::Release);
        futex::wake(count, u32::MAX);
    }

    /// Has an OS thread of this name `act` whenever the signal comes. One that `ends` the process where nobody
    /// handles it (`SIGINT`, `SIGTERM`, `SIGHUP`, `SIGQUIT`) still does, after that, if it would have; and not
    /// where it is not to.
    pub(crate) fn attend(
        name: &str,
        signal: i32,
        ends: bool,
        mut act: impl FnMut() + Send + 'static,
    ) {
        let mut before = MaybeUninit::uninit();
        // SAFETY: zero is a valid `sigaction`; the handler does no more than a handler may.
        let before: libc::sigaction = unsafe {
            let mut action: libc::sigaction = mem::zeroed();
            action.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK;
            action.sa_sigaction = on_signal as *const () as libc::sighandler_t;
            libc::sigaction(signal, &raw const action, before.as_mut_ptr());
            before.assume_init()
        };
        ATTENDED.fetch_or(1 << (signal - 1), Ordering::Relaxed);
        let fatal = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT];
        let ends = ends && before.sa_sigaction == libc::SIG_DFL && fatal.contains(&signal);
        let count = &COUNTS[signal as usize];
        let mut seen = count.load(Ordering::Relaxed);
        let attend = move || {
            signal::set_mask(signal::cover() & !(1 << (signal - 1)));
            loop {
                // Acquire pairs with the release in `on_signal`.
                let n = count.load(Ordering::Acquire);
                if n == seen {
                    futex::wait(count, n, None);
                    continue;
                }
                seen = n;
                act();
                if ends {
                    // SAFETY: what this process had before.
                    unsafe { libc::sigaction(signal, &raw const before, ptr::null_mut()) };
                    thread::signal_process(signal);
                }
            }
        };
        if let Err(error) = scheduler::start_os_thread(name.to_owned(), attend) {
            report::say(format_args!("sylvan: nothing is done at signal {signal}: {error}\n"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_known_by_name_and_by_number() {
        let usr1 = libc::SIGUSR1;
        assert_eq!(["SIGUSR1", "USR1", &usr1.to_string()].map(parse), [Some(usr1); 3]);
        assert_eq!(parse("34"), Some(34));
        assert_eq!(["SIGKILL", "9", "SIGSEGV", "11", "64", "0", "usr1", ""].map(parse), [None; 8]);
    }
}
