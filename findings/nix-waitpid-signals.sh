#!/usr/bin/env bash
#
# Expected: nix (0.30.1) documents waitpid as POSIX's, with a WaitStatus for each way in which a child's state
# changes, Signaled "killed by the given signal" among them. An error means that nothing was waited for: the child is
# still there.
#
# What happens: waitpid asks the kernel, which hands the child over, and only then looks the signal up in an enum that
# knows the 31 classic ones (WaitStatus::from_raw). A child that a real-time signal has killed is EINVAL, and it is
# gone: the next waitpid says ECHILD, and its status is lost. In a tracer the same happens to each stop by such a
# signal: it is told EINVAL, not which thread has stopped, and that thread stays stopped. glibc and musl send signals
# 32 to 34 to all threads for pthread_cancel, timers and setuid, so a traced program need not use any of its own.
# Known as lack of real-time signals (https://github.com/nix-rust/nix/issues/495), and what it does to a tracer
# (https://github.com/kxxt/tracexec/issues/36); the documentation of waitpid is silent. waitid is the same; std's
# Child::wait and libc's waitpid tell the number.
#
# Here a tracer's child starts a second thread and calls setuid to be who it is.
#
# Seen with: Linux 6.18, glibc 2.36, rustc 1.95.0, nix 0.30.1 (fetched here from crates.io).
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "waits"
version = "0.0.0"
edition = "2021"

[dependencies]
nix = { version = "=0.30.1", features = ["process", "ptrace", "signal"] }
TOML
cat >"$work/src/main.rs" <<'RUST'
use std::error::Error;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{waitpid, WaitPidFlag, WaitStatus};
use nix::unistd::Pid;

const SETS_ITS_ID: &str = "
import os, threading
threading.Thread(target=threading.Event().wait, daemon=True).start()
os.setuid(os.getuid())
os._exit(0)
";

fn main() -> Result<(), Box<dyn Error>> {
    let mut as_stated = true;
    for (name, expected) in [("KILL", true), ("RTMIN", false)] {
        let kill = || Command::new("bash").args(["-c", &format!("kill -{name} $$; sleep 60")]).spawn();
        let by_std = kill()?.wait()?.signal();
        let pid = Pid::from_raw(kill()?.id() as i32);
        let (first, second) = (waitpid(pid, None), waitpid(pid, None));
        println!("killed by {name}: std says {by_std:?}; nix says {first:?}, and then {second:?}");
        as_stated &= by_std.is_some()
            && second == Err(Errno::ECHILD)
            && if expected {
                first == Ok(WaitStatus::Signaled(pid, Signal::SIGKILL, false))
            } else {
                first == Err(Errno::EINVAL)
            };
    }

    let mut command = Command::new("python3");
    command.args(["-c", SETS_ITS_ID]).stdin(Stdio::null());
    // SAFETY: one system call.
    unsafe { command.pre_exec(|| Ok(ptrace::traceme()?)) };
    let mut traced = command.spawn()?;
    let pid = Pid::from_raw(traced.id() as i32);
    waitpid(pid, None)?;
    let options = ptrace::Options::PTRACE_O_TRACECLONE | ptrace::Options::PTRACE_O_EXITKILL;
    ptrace::setoptions(pid, options)?;
    ptrace::cont(pid, None)?;
    let end = loop {
        match waitpid(None, Some(WaitPidFlag::__WALL)) {
            Ok(WaitStatus::Stopped(t, Signal::SIGSTOP | Signal::SIGTRAP) | WaitStatus::PtraceEvent(t, ..)) => {
                ptrace::cont(t, None)?;
            }
            Ok(WaitStatus::Stopped(thread, signal)) => ptrace::cont(thread, signal)?,
            end => break end,
        }
    };
    println!("traced, setuid: nix says {end:?}");
    as_stated &= end == Err(Errno::EINVAL);
    traced.kill()?;

    as_stated.then_some(()).ok_or("different".into())
}
RUST
rustc --version
(cd "$work" && cargo run -q)
echo "as stated"
