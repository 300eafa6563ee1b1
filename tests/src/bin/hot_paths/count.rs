//! Counting: a child process is traced and goes on by one instruction at a time.
//!
//! No tool and no counter of the processor's is needed, and it works where the thread pointer
//! moves. Instructions take a thousand times as long as usual then, and how long depends on the
//! machine; the monitor goes by the clock, and so do workers. So:
//!
//! 1. The child warms up, says so on its standard output, and waits.
//! 2. Its monitor is stopped, and its standard input closed, upon which it goes on.
//! 3. Its green thread has the OS thread that it runs on traced, and marks the borders of what counts
//!    by a signal to itself. From the first one on the clock goes on by readings (`clock`).

use std::env;
use std::io::{self, BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::ptr;
use std::thread;
use std::time::Duration;

use libc::{c_int, c_void, pid_t};
use tests::counts::os_threads_of;

use crate::clock;

/// What a traced thread sends itself at a border.
const MARK: c_int = libc::SIGUSR2;

/// In the child: has its parent trace the calling OS thread.
pub(crate) fn trace_this_thread() {
    clock::stop();
    request(libc::PTRACE_TRACEME, 0, 0).expect("to be traced");
}

/// In the child: a border.
pub(crate) fn mark() {
    // SAFETY: the signal stops this thread, and its tracer does not pass it on.
    unsafe { libc::raise(MARK) };
}

/// In the child: lets its parent know that it is warm.
pub(crate) fn say_so_and_wait() {
    println!("warm");
    io::stdin().read_line(&mut String::new()).expect("the end of the input");
}

/// Counts the instructions between the marks that `hot_paths --play NAME` makes when `SYLVAN_TLS` is
/// as given.
///
/// # Errors
///
/// When processes cannot be traced here, or the child does something else.
pub(crate) fn between_marks(name: &str, tls: &str) -> io::Result<u64> {
    let mut command = Command::new(env::current_exe()?);
    command.args(["--play", name]).env("SYLVAN_TLS", tls).env("SYLVAN_WORKERS", "1");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).arg0("hot_paths");
    let mut child = Killed(command.spawn()?);
    let mut said = String::new();
    BufReader::new(child.0.stdout.take().expect("it is piped")).read_line(&mut said)?;
    let monitor = thread_named("sylvan-monitor", child.0.id())?;
    request(libc::PTRACE_SEIZE, monitor, 0)?;
    request(libc::PTRACE_INTERRUPT, monitor, 0)?;
    wait(monitor)?;
    drop(child.0.stdin.take());
    // The thread that asked to be traced is the next to stop.
    let (thread, signal) = wait(-1)?;
    if signal != MARK {
        return Err(io::Error::other(format!("the child stops by signal {signal}")));
    }
    step_to_mark(thread)
}

fn step_to_mark(thread: pid_t) -> io::Result<u64> {
    let mut n = 0;
    loop {
        request(libc::PTRACE_SINGLESTEP, thread, 0)?;
        match wait(thread)?.1 {
            libc::SIGTRAP => n += 1,
            MARK => return Ok(n),
            signal => return Err(io::Error::other(format!("the child stops by signal {signal}"))),
        }
    }
}

/// The OS thread of that name. A thread names itself once it runs, so it may take a while to appear.
fn thread_named(name: &str, process: u32) -> io::Result<pid_t> {
    for _ in 0..5_000 {
        let mut threads = os_threads_of(process)?.into_iter();
        if let Some(thread) = threads.find(|thread| thread.name == name) {
            return Ok(thread.number);
        }
        thread::sleep(Duration::from_millis(2));
    }
    Err(io::Error::other(format!("the child has no thread called {name}")))
}

/// A child that does not outlive its use.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        // Its traced threads, and the process itself, which is the last to go.
        // SAFETY: no status is asked for.
        while unsafe { libc::waitpid(-1, ptr::null_mut(), libc::__WALL) } != -1 {}
    }
}

/// Waits for `thread` (-1: any of them) to stop: which one did, and by which signal.
fn wait(thread: pid_t) -> io::Result<(pid_t, c_int)> {
    let mut status = 0;
    // SAFETY: `status` is there to be written.
    let stopped = unsafe { libc::waitpid(thread, &raw mut status, libc::__WALL) };
    if stopped == -1 {
        return Err(io::Error::last_os_error());
    }
    if !libc::WIFSTOPPED(status) {
        return Err(io::Error::other(format!("the child has ended: status {status:#x}")));
    }
    Ok((stopped, libc::WSTOPSIG(status)))
}

fn request(request: libc::c_uint, thread: pid_t, data: usize) -> io::Result<()> {
    let nowhere = ptr::null_mut::<c_void>();
    // SAFETY: the requests used here take no address, and change nothing of this process.
    if unsafe { libc::ptrace(request, thread, nowhere, data) } == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
