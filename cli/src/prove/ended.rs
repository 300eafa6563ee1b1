//! How a program ended that was to go on, and what it said last.

use std::fmt;
use std::io::{self, Read, Write};
use std::process::{ChildStderr, ExitStatus};
use std::thread::{self, JoinHandle};

/// A program that has ended by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// How. Under `dtruss` that is how the tracer ended.
    pub status: ExitStatus,
    /// The last line that it wrote to standard error; empty if there was none, or under `dtruss`, which
    /// writes there itself.
    pub last_words: String,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the program ended by itself, {}", self.status)?;
        if self.last_words.is_empty() {
            return Ok(());
        }
        write!(f, "; its last words: {}", self.last_words)
    }
}

impl std::error::Error for Ended {}

/// Passes on what a program writes to standard error, and keeps the end of it.
#[derive(Debug)]
pub(super) struct Listener(JoinHandle<Vec<u8>>);

impl Listener {
    /// As much of the end as is kept.
    const KEPT: usize = 4096;

    pub(super) fn start(mut from: ChildStderr) -> Self {
        Self(thread::spawn(move || {
            let mut end = Vec::new();
            let mut piece = [0; Self::KEPT];
            loop {
                match from.read(&mut piece) {
                    Ok(0) => return end,
                    Ok(n) => {
                        // Who does not hear it any more is told all the same how it ended.
                        let _ = io::stderr().write_all(&piece[..n]);
                        end.extend_from_slice(&piece[..n]);
                        end.drain(..end.len().saturating_sub(Self::KEPT));
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(_) => return end,
                }
            }
        }))
    }

    /// The last line that is not empty, once nobody can write any more.
    pub(super) fn last_words(self) -> String {
        let end = self.0.join().expect("the listener does not panic");
        let text = String::from_utf8_lossy(&end);
        text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default().to_owned()
    }
}
