#!/usr/bin/env bash
#
# Expected: signal-hook (0.4.6) documents emulate_default_handler: it "does its best to provide the same action as
# the default handler would do", and has an error for "a signal that is not known to this function". signal(7)
# (man-pages 6.03) has the default action of SIGIO (SIGPOLL): it ends the process.
#
# What happens: for SIGIO the function says Ok and does nothing; its table (DETAILS in low_level/signal_details.rs)
# calls it one that is ignored, on all systems. That is what BSD does with it. So a program that asks for the
# default after its own handler (flag::register_conditional_default does so, too) lives on where, without a
# handler, it would have ended. Also: SIGTSTP, SIGTTIN and SIGTTOU stop the process, but by SIGSTOP, and the parent's
# WSTOPSIG, by which a shell tells why a job has stopped, says so.
#
# Each signal's default action is taken in one child by the kernel (raise), in another one by signal-hook.
#
# Seen with: Linux 6.18, rustc 1.95.0, signal-hook 0.4.6 (fetched here from crates.io).
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "default"
version = "0.0.0"
edition = "2021"

[dependencies]
libc = "=0.2.178"
signal-hook = "=0.4.6"
TOML
cat >"$work/src/main.rs" <<'RUST'
use signal_hook::low_level::emulate_default_handler;

const LIVES_ON: i32 = 77;
const SIGNALS: [(&str, i32); 7] = [
    ("SIGTERM", libc::SIGTERM),
    ("SIGALRM", libc::SIGALRM),
    ("SIGURG", libc::SIGURG),
    ("SIGIO", libc::SIGIO),
    ("SIGTSTP", libc::SIGTSTP),
    ("SIGTTIN", libc::SIGTTIN),
    ("SIGTTOU", libc::SIGTTOU),
];

/// What becomes of a child that does this.
fn child(does: impl Fn()) -> String {
    // SAFETY: the child makes calls that are allowed after a fork, and ends; the parent has no other children.
    unsafe {
        let pid = libc::fork();
        if pid == 0 {
            does();
            libc::_exit(LIVES_ON);
        }
        let mut status = 0;
        libc::waitpid(pid, &mut status, libc::WUNTRACED);
        if libc::WIFSTOPPED(status) {
            let by = libc::WSTOPSIG(status);
            libc::kill(pid, libc::SIGKILL);
            libc::waitpid(pid, &mut status, 0);
            let name = SIGNALS.iter().find(|(_, signal)| *signal == by).map_or("SIGSTOP", |(name, _)| name);
            return format!("stopped by {name}");
        }
        let lives = libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == LIVES_ON;
        if lives { "lives on" } else { "ended" }.into()
    }
}

fn main() {
    // A group of its own within the session, without which the kernel ignores signals from a terminal.
    // SAFETY: a call without memory.
    unsafe { libc::setpgid(0, 0) };
    let mut different = Vec::new();
    for (name, signal) in SIGNALS {
        // SAFETY: a signal that has its default action.
        let kernel = child(|| unsafe { assert_eq!(libc::raise(signal), 0) });
        let emulated = child(|| emulate_default_handler(signal).expect("a known signal"));
        println!("{name}: {kernel}; by signal-hook {emulated}");
        if kernel != emulated {
            different.push(name);
        }
    }
    assert_eq!(different, ["SIGIO", "SIGTSTP", "SIGTTIN", "SIGTTOU"]);
    println!("as stated");
}
RUST
(cd "$work" && cargo run -q)
