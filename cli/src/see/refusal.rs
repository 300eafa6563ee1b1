//! Why nothing can be seen, and how it is said: each reason has an exit status of its own.

use std::fmt;

/// Why a process, or a core file, is not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    NotWritten,
    NoThread,
    NoProcess,
    NoRight,
    NoRuntime,
    OtherVersion,
    NoCore,
    OtherProgram,
    Unreadable,
}

/// Each with its status, and what it means.
const REASONS: [(Reason, u8, &str); 9] = [
    (Reason::NotWritten, 1, "what was seen cannot be written"),
    (Reason::OtherProgram, 115, "the core file is another program's"),
    (Reason::NoThread, 116, "no green thread in it has this number or name"),
    (Reason::NoProcess, 120, "there is no such process, or no longer"),
    (Reason::NoRight, 121, "the kernel allows no look at it: it is somebody else's, or has rights"),
    (Reason::NoRuntime, 122, "there is no runtime of sylvan in it"),
    (Reason::OtherVersion, 123, "its runtime is of another version than this program"),
    (
        Reason::NoCore,
        124,
        "the core file or its program cannot be read, or is none for this machine",
    ),
    (Reason::Unreadable, 125, "a part of its memory is not there that is needed"),
];

impl Reason {
    fn row(self) -> (u8, &'static str) {
        let (_, status, text) =
            REASONS.into_iter().find(|(reason, ..)| *reason == self).expect("all are listed");
        (status, text)
    }

    /// The reason, with what it concerns.
    pub(crate) fn with(self, detail: impl Into<String>) -> Refusal {
        Refusal { reason: self, detail: detail.into() }
    }
}

/// A look that cannot be had, and why.
#[derive(Debug)]
pub(crate) struct Refusal {
    reason: Reason,
    detail: String,
}

impl Refusal {
    /// The exit status that says it.
    pub(crate) fn status(&self) -> u8 {
        self.reason.row().0
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason {
            // Which of the two it is, or how they differ, the detail says.
            Reason::NoCore | Reason::OtherVersion => f.write_str(&self.detail),
            reason => write!(f, "{}: {}", self.detail, reason.row().1),
        }
    }
}

/// The exit statuses, for the help of a verb.
pub(crate) fn statuses() -> String {
    REASONS.map(|(_, status, text)| format!("  {status}  {text}\n")).concat()
}
