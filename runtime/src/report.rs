//! What the runtime says on standard error, straight to the descriptor.

use std::fmt::{self, Write};
use std::io;
use std::process;

use crate::sys::file::Stderr;

/// A line in the making: on the stack, cut off where it is full, usable in a signal handler.
struct Line {
    bytes: [u8; 512],
    len: usize,
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.bytes.len() - self.len;
        let text = &text.as_bytes()[..text.len().min(room)];
        self.bytes[self.len..self.len + text.len()].copy_from_slice(text);
        self.len += text.len();
        Ok(())
    }
}

/// Writes `text` to standard error: without a lock, without an allocation.
pub(crate) fn say(text: fmt::Arguments<'_>) {
    let mut line = Line { bytes: [0; 512], len: 0 };
    let _ = line.write_fmt(text);
    let _ = io::Write::write(&mut Stderr, &line.bytes[..line.len]);
}

/// Says why, and aborts: for what std answers with an abort, and for broken invariants.
#[cold]
pub(crate) fn fatal(why: fmt::Arguments<'_>) -> ! {
    say(format_args!("fatal runtime error: {why}, aborting\n"));
    process::abort()
}
