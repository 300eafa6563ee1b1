//! The panic message of a green thread: std's, with the green thread's name.
//!
//! std's own hook asks std who runs, and std does not know a green thread's name. So a hook stands
//! in front of it that prints the same lines. A hook that the program has installed before stays
//! as it is, and one that it installs later replaces this one, as with std.

use std::backtrace::Backtrace;
use std::env;
use std::fmt::Write as _;
use std::mem;
use std::panic::{self, PanicHookInfo};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::current;
use crate::task::Header;

type Hook = Box<dyn Fn(&PanicHookInfo<'_>) + Sync + Send + 'static>;

/// Installs the hook that reports a green thread's panic by its name, if the one in force is std's
/// own. The start of the runtime does so; `take_hook` of std puts std's own back in force.
///
/// ```
/// drop(std::panic::take_hook());
/// sylvan::contract::install_panic_hook();
/// ```
pub fn install_panic_hook() {
    if std::thread::panicking() {
        // Hooks cannot be changed by a panicking thread.
        return;
    }
    let present = panic::take_hook();
    let default = panic::take_hook();
    if vtable(&present) != vtable(&default) {
        panic::set_hook(present);
        return;
    }
    panic::set_hook(Box::new(move |info| match current::green().or_else(current::bound) {
        Some(task) => report(task, info),
        None => default(info),
    }));
}

/// What tells two hooks apart: both come out of `take_hook`, which boxes std's own in one place.
fn vtable(hook: &Hook) -> usize {
    let raw: *const (dyn Fn(&PanicHookInfo<'_>) + Sync + Send) = &**hook;
    // SAFETY: a pointer to a trait object is two words, data and table.
    let [_, table] = unsafe {
        mem::transmute::<*const (dyn Fn(&PanicHookInfo<'_>) + Sync + Send), [usize; 2]>(raw)
    };
    table
}

fn report(task: &Header, info: &PanicHookInfo<'_>) {
    static FIRST: AtomicBool = AtomicBool::new(true);
    let name = task.name().unwrap_or("<unnamed>");
    let message = info.payload_as_str().unwrap_or("Box<dyn Any>");
    let mut text = String::new();
    let location = info.location().map(ToString::to_string).unwrap_or_default();
    let id = task.id.get();
    let _ = writeln!(text, "\nthread '{name}' ({id}) panicked at {location}:\n{message}");
    match env::var("RUST_BACKTRACE").as_deref() {
        Ok("0") | Err(_) => {
            if FIRST.swap(false, Ordering::Relaxed) {
                text.push_str(
                    "note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n",
                );
            }
        }
        Ok("full") => {
            let _ = writeln!(text, "stack backtrace:\n{:#}", Backtrace::force_capture());
        }
        Ok(_) => {
            let frames = short(&Backtrace::force_capture().to_string());
            let _ = writeln!(
                text,
                "stack backtrace:\n{frames}note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace."
            );
        }
    }
    // Through std, so that a test harness that captures output gets this too.
    eprint!("{text}");
}

/// The frames that std would show: those between its two marks, counted anew; all, where symbols are
/// missing and the marks with them.
fn short(trace: &str) -> String {
    let mut shown = String::new();
    let (mut n_shown, mut between_marks, mut show) = (0, false, false);
    for line in trace.lines() {
        // A frame begins with its number and its name; where it is follows on lines of their own.
        let name = line
            .split_once(": ")
            .and_then(|(number, name)| number.trim().parse::<usize>().ok().map(|_| name));
        match name {
            Some(name) if name.contains("__rust_end_short_backtrace") => {
                (between_marks, show) = (true, false);
            }
            Some(name) if between_marks && name.contains("__rust_begin_short_backtrace") => break,
            Some(name) => {
                show = between_marks;
                if show {
                    let _ = writeln!(shown, "{n_shown:4}: {name}");
                    n_shown += 1;
                }
            }
            None if show => {
                let _ = writeln!(shown, "{line}");
            }
            None => {}
        }
    }
    if n_shown == 0 { format!("{trace}\n") } else { shown }
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn a_short_backtrace_has_the_frames_between_the_marks_and_where_they_are() {
        let trace = "   0: sylvan::panic::report\n             at ./src/panic.rs:1:2
   1: std::sys::backtrace::__rust_end_short_backtrace::<F, !>
   2: core::panicking::panic_fmt\n   3: program::main::{{closure}}
             at ./src/main.rs:3:4\n   4: sylvan::thread::__rust_begin_short_backtrace
             at ./src/thread.rs:5:6\n   5: sylvan::thread::run\n";
        let shown = "   0: core::panicking::panic_fmt\n   1: program::main::{{closure}}
             at ./src/main.rs:3:4\n";
        assert_eq!(short(trace), shown);
        assert_eq!(short("   0: <unknown>"), "   0: <unknown>\n");
    }
}
