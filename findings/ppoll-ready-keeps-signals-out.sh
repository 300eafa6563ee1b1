#!/usr/bin/env bash
#
# Expected: select(2), poll(2) and epoll_wait(2) (man-pages 6.03) of pselect, ppoll and epoll_pwait: a call with a mask
# is "equivalent to atomically executing" (of ppoll: nearly) pthread_sigmask() to that mask, the wait, and
# pthread_sigmask() back. By POSIX the first of these lets in a signal that is pending before it returns. So a
# program that has its signals blocked all the time, except in there, handles them once a turn.
#
# What happens: a turn in which a descriptor is ready lets no signal in. The call looks at the descriptors, finds one,
# and puts the mask back; the handler does not run, and the signal stays pending. A server that is never out of work
# never gets its SIGTERM, in however many turns. It gets it in the first turn that finds nothing: EINTR, from ppoll
# and pselect with a timeout of zero as well. From epoll_pwait not so: with a timeout of zero it lets nothing in,
# ready or not. (restore_saved_sigmask_unless() in fs/select.c and fs/eventpoll.c puts the mask back unless the
# wait ended by a signal; ep_poll() looks for a timeout before it looks for signals.) The three calls that it is said
# to be let it in at once.
#
# Seen with: Linux 6.18, glibc 2.36 (Debian 12), x86-64; python3 for the calls.
set -euo pipefail

uname -r
timeout 60 python3 - <<'PYTHON'
import ctypes, os, select, signal

TURNS = 10_000
libc = ctypes.CDLL(None, use_errno=True)
handled = 0


def handler(number, frame):
    global handled
    handled += 1


class PollFd(ctypes.Structure):
    _fields_ = [("fd", ctypes.c_int), ("events", ctypes.c_short), ("revents", ctypes.c_short)]


class EpollEvent(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("events", ctypes.c_uint32), ("data", ctypes.c_uint64)]


signal.signal(signal.SIGTERM, handler)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
none_blocked = ctypes.create_string_buffer(128)
busy, writer = os.pipe()
os.write(writer, b"x")
idle, _writer = os.pipe()


def timespec(ms):
    return (ctypes.c_long * 2)(ms // 1_000, ms % 1_000 * 1_000_000)


def by_ppoll(fd, ms):
    return libc.ppoll(ctypes.byref(PollFd(fd, select.POLLIN, 0)), 1, timespec(ms), none_blocked)


def by_pselect(fd, ms):
    fds = (ctypes.c_ulong * 16)()
    fds[fd // 64] |= 1 << fd % 64
    return libc.pselect(fd + 1, fds, None, None, timespec(ms), none_blocked)


def by_epoll_pwait(fd, ms):
    with select.epoll() as poller:
        poller.register(fd, select.EPOLLIN)
        return libc.epoll_pwait(poller.fileno(), ctypes.byref(EpollEvent()), 1, ms, none_blocked)


def by_three_calls(fd, ms):
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    number = len(select.select([fd], [], [], ms / 1000)[0])
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    return number


def is_handled(wait, fd, ms, turns):
    """Whether a signal that is pending is handled in this many turns; one that is not is pending still."""
    if signal.SIGTERM not in signal.sigpending():
        os.kill(os.getpid(), signal.SIGTERM)
    before = handled
    for _ in range(turns):
        wait(fd, ms)
    assert (handled > before) == (signal.SIGTERM not in signal.sigpending())
    return handled > before


seen = {}
for wait in (by_ppoll, by_pselect, by_epoll_pwait, by_three_calls):
    seen[wait] = [
        is_handled(wait, busy, 1_000, TURNS),
        is_handled(wait, idle, 0, TURNS),
        is_handled(wait, idle, 1_000, 1),
    ]
    print(f"{wait.__name__}: handled while ready, none ready and no time, none ready for a second: {seen[wait]}")
assert seen == {
    by_ppoll: [False, True, True],
    by_pselect: [False, True, True],
    by_epoll_pwait: [False, False, True],
    by_three_calls: [True, True, True],
}
print("as stated")
PYTHON
