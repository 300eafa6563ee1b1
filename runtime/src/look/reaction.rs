//! Whether the process is to tell of its deadlocks.

use std::io;

use crate::env;
#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::{owners, report, scheduler};

/// What is done where there is one.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reaction {
    /// It is told.
    Warn,
    /// And the process is aborted.
    Abort,
}

impl Reaction {
    /// What the environment says; `None` if nobody is to look.
    ///
    /// # Errors
    ///
    /// Where the variable has no usable value.
    pub(crate) fn from_env() -> io::Result<Option<Self>> {
        const NAME: &str = "SYLVAN_DEADLOCK";
        let reaction = env::parsed(NAME, "`warn` or `abort`", |value| match value {
            "warn" => Some(Self::Warn),
            "abort" => Some(Self::Abort),
            _ => None,
        })?;
        env::on_linux_alone(NAME, reaction)
    }

    /// Looks from now on. The runtime has started.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn attend(self) {
        owners::begin();
        scheduler::press_to_note();
        let watch = move || super::deadlock::watch(self);
        if let Err(error) = scheduler::start_os_thread("sylvan-deadlock".to_owned(), watch) {
            report::say(format_args!("sylvan: nobody looks for deadlocks: {error}\n"));
        }
    }

    /// As where one can look: `from_env` has said that one cannot.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(crate) fn attend(self) {}
}
