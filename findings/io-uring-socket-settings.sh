#!/usr/bin/env bash
#
# Expected: io_uring_prep_recv(3) (liburing 2.3): it "prepares an async recv(2) request". So what is set for a socket
# holds for it: a timeout (SO_RCVTIMEO), O_NONBLOCK, and how much a read is to wait for (SO_RCVLOWAT).
#
# What happens: none of the three holds. A receive with a timeout of 0.2 s waits for ever; one on a socket that does not
# block waits, too; and one that is to wait for four bytes, on a Unix socket, is done with two. The kernel makes the
# call as one that does not block, and where that finds too little it waits for readiness, which knows nothing of these
# (io_recv() in io_uring/net.c). What is said with the call holds, MSG_DONTWAIT here. Neither that page nor
# io_uring_enter(2) tells of it. A program that is moved from recv to io_uring loses its timeouts.
#
# Seen with: Linux 6.18, rustc 1.95.0, the crate io-uring 0.7.15 (fetched here from crates.io). io_uring has to be
# allowed (kernel.io_uring_disabled).
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "settings"
version = "0.0.0"
edition = "2021"

[dependencies]
io-uring = "=0.7.15"
libc = "=0.2.178"
TOML
cat >"$work/src/main.rs" <<'RUST'
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use io_uring::{opcode, types, IoUring};

const TIMEOUT: Duration = Duration::from_millis(200);
const WAITS: &str = "waits";

/// Begins to receive, by recv(2) or by io_uring; what has come of it before patience is at an end.
fn receive(socket: &UnixStream, flags: i32, by_io_uring: bool, patience: Duration) -> io::Result<String> {
    let fd = socket.as_raw_fd();
    if by_io_uring {
        // It may outlive this function, as does the kernel's wait.
        let room: &'static mut [u8; 8] = Box::leak(Box::new([0; 8]));
        let ring: &'static mut IoUring = Box::leak(Box::new(IoUring::new(2)?));
        let call = opcode::Recv::new(types::Fd(fd), room.as_mut_ptr(), 8).flags(flags).build();
        // SAFETY: the room is there for ever, and nobody else's.
        unsafe { ring.submission().push(&call).expect("an empty queue") };
        ring.submit()?;
        let begun = Instant::now();
        while begun.elapsed() < patience {
            if let Some(done) = ring.completion().next() {
                return Ok(told(done.result() as isize));
            }
            thread::sleep(Duration::from_millis(1));
        }
        return Ok(WAITS.into());
    }
    let call = thread::spawn(move || {
        let mut room = [0_u8; 8];
        // SAFETY: the kernel writes at most as many bytes as there are.
        let n = unsafe { libc::recv(fd, room.as_mut_ptr().cast(), 8, flags) };
        told(if n < 0 { -(io::Error::last_os_error().raw_os_error().unwrap_or(0) as isize) } else { n })
    });
    let begun = Instant::now();
    while !call.is_finished() && begun.elapsed() < patience {
        thread::sleep(Duration::from_millis(1));
    }
    Ok(if call.is_finished() { call.join().expect("no panic") } else { WAITS.into() })
}

fn told(result: isize) -> String {
    if result == -(libc::EAGAIN as isize) { "EAGAIN".into() } else { format!("{result} bytes") }
}

fn main() -> io::Result<()> {
    let mut different = false;
    let mut case = |name: &str, flags, set: &dyn Fn(&UnixStream, &UnixStream) -> io::Result<()>, expected: [&str; 2]| {
        let mut seen = Vec::new();
        for (by_io_uring, expected) in [false, true].into_iter().zip(expected) {
            // On a busy machine a call may take long that does not wait.
            let patience = if expected == WAITS { 5 * TIMEOUT } else { 100 * TIMEOUT };
            // The sockets stay open: somebody may wait still.
            let [socket, peer]: &'static mut [UnixStream; 2] = Box::leak(Box::new(UnixStream::pair()?.into()));
            set(socket, peer)?;
            seen.push(receive(socket, flags, by_io_uring, patience)?);
        }
        println!("{name}: recv {}, io_uring {}", seen[0], seen[1]);
        different |= seen != expected;
        io::Result::Ok(())
    };
    case("nothing set", 0, &|_, _| Ok(()), [WAITS, WAITS])?;
    case("MSG_DONTWAIT", libc::MSG_DONTWAIT, &|_, _| Ok(()), ["EAGAIN", "EAGAIN"])?;
    case("SO_RCVTIMEO", 0, &|socket, _| socket.set_read_timeout(Some(TIMEOUT)), ["EAGAIN", WAITS])?;
    case("O_NONBLOCK", 0, &|socket, _| socket.set_nonblocking(true), ["EAGAIN", WAITS])?;
    let four_wanted_two_there = |socket: &UnixStream, mut peer: &UnixStream| {
        let mark = 4_i32;
        let (at, len) = ((&raw const mark).cast(), size_of_val(&mark) as libc::socklen_t);
        // SAFETY: the kernel reads a number.
        let set = unsafe { libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_RCVLOWAT, at, len) };
        if set == 0 { peer.write_all(b"ab") } else { Err(io::Error::last_os_error()) }
    };
    case("SO_RCVLOWAT", 0, &four_wanted_two_there, [WAITS, "2 bytes"])?;
    if different { Err(io::Error::other("different")) } else { Ok(()) }
}
RUST
uname -r
(cd "$work" && cargo run -q)
echo "as stated"
