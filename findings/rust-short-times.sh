#!/usr/bin/env bash
#
# Expected: a time that is short is short. std documents of set_read_timeout: an Err "if the zero Duration is
# passed", and sets a time below the kernel's unit as one unit. socket2 (0.6.5) documents for the same call that
# "If `timeout` is `None`, then `read` and `recv` calls will block indefinitely", so with Some they do not.
# timerfd (1.6.0) documents Oneshot: "The timer will fire once after the specified duration". nix (0.30.1) has a
# PollTimeout "from" a Duration, so that poll() waits that long.
#
# What happens: each cuts the time off to the unit of the system call, where 0 means something else.
#   socket2  Some(500 ns) and Some(0) say Ok and take the timeout away: reads block for ever
#            (into_timeval in sys/unix.rs).
#   timerfd  Oneshot(0), a deadline that has just passed say, disarms the timer: it never fires.
#   nix      500 us is 0 ms: poll() does not wait, and a loop around it that has half a millisecond to go turns
#            without sleep.
# Who computes what is left until a deadline meets all of them, once in a while.
#
# Seen with: Linux 6.18, rustc 1.95.0, and the crates named above (fetched here from crates.io).
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "short"
version = "0.0.0"
edition = "2021"

[dependencies]
nix = { version = "=0.30.1", features = ["poll"] }
socket2 = "=0.6.5"
timerfd = "=1.6.0"
TOML
cat >"$work/src/main.rs" <<'RUST'
use std::error::Error;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::poll::{poll, PollFd, PollFlags, PollTimeout};
use socket2::SockRef;
use timerfd::{SetTimeFlags, TimerFd, TimerState};

const NO_TIME: Duration = Duration::ZERO;
const HALF_A_MICROSECOND: Duration = Duration::from_nanos(500);
const HALF_A_MILLISECOND: Duration = Duration::from_micros(500);

fn main() -> Result<(), Box<dyn Error>> {
    let (socket, _other) = UnixStream::pair()?;

    let zero = socket.set_read_timeout(Some(NO_TIME)).is_err();
    socket.set_read_timeout(Some(HALF_A_MICROSECOND))?;
    let by_std = (zero, socket.read_timeout()?.is_some());
    println!("std: zero is an error {}, half a microsecond is a timeout {}", by_std.0, by_std.1);

    let mut by_socket2 = Vec::new();
    for time in [HALF_A_MICROSECOND, NO_TIME] {
        socket.set_read_timeout(Some(Duration::from_secs(1)))?;
        SockRef::from(&socket).set_read_timeout(Some(time))?;
        by_socket2.push(SockRef::from(&socket).read_timeout()?);
        println!("socket2: a timeout of {time:?} is {:?}", by_socket2.last().unwrap());
    }

    let mut timer = TimerFd::new()?;
    timer.set_state(TimerState::Oneshot(NO_TIME), SetTimeFlags::Default);
    let state = timer.get_state();
    println!("timerfd: a timer that is to fire at once is {state:?}");

    let mut fds = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
    let timeout = PollTimeout::try_from(HALF_A_MILLISECOND)?;
    let (start, mut turns) = (Instant::now(), 0);
    while turns < 20 && start.elapsed() < Duration::from_secs(10) {
        poll(&mut fds, timeout)?;
        turns += 1;
    }
    println!("nix: {HALF_A_MILLISECOND:?} are {timeout:?}; {turns} polls took {:?}", start.elapsed());

    let as_stated = by_std == (true, true)
        && by_socket2 == [None, None]
        && matches!(state, TimerState::Disarmed)
        && timeout == PollTimeout::ZERO;
    as_stated.then_some(()).ok_or("different".into())
}
RUST
rustc --version
(cd "$work" && cargo run -q)
echo "as stated"
