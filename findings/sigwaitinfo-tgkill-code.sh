#!/usr/bin/env bash
#
# Expected: sigaction(2) (man-pages 6.03) of si_code: "SI_TKILL: tkill(2) or tgkill(2)", which is how
# pthread_kill(3) sends; and sigwaitinfo(2) returns "the siginfo_t structure describing the signal", the
# same as a handler gets. A program that lets in only what its own threads have sent looks at that code.
#
# What happens, for one and the same pthread_kill() to oneself: a handler installed with SA_SIGINFO is told
# SI_TKILL (-6), a read of a signalfd is told -6, and sigwaitinfo() and sigtimedwait() tell 0, which is
# SI_USER, "kill(2)". The kernel says -6 each time: the system call rt_sigtimedwait, made by its number, is
# told -6. It is glibc's wrapper that puts SI_USER in its place; neither sigwaitinfo(2) nor sigaction(2) tells
# of that.
#
# Seen with: glibc 2.36-9+deb12u14 (Debian 12), Linux 6.18. Nothing is fetched; it needs python3.
set -euo pipefail

timeout 30 python3 - <<'PYTHON'
import ctypes, os, signal, struct, sys

SIGNAL = signal.SIGUSR1
SI_USER, SI_TKILL = 0, -6
SYS_RT_SIGTIMEDWAIT = 128  # x86-64
SA_SIGINFO, SFD_NONBLOCK = 4, 0o4000

libc = ctypes.CDLL(None, use_errno=True)
libc.pthread_self.restype = ctypes.c_ulong
libc.pthread_kill.argtypes = [ctypes.c_ulong, ctypes.c_int]
mask = ctypes.create_string_buffer(struct.pack("Q", 1 << (SIGNAL - 1)), 128)


def send():
    assert libc.pthread_kill(libc.pthread_self(), SIGNAL) == 0


def code(info):
    number, _errno, code = struct.unpack_from("iii", info)
    assert number == SIGNAL
    return code


seen = {}
signal.pthread_sigmask(signal.SIG_BLOCK, [SIGNAL])
info = ctypes.create_string_buffer(128)

send()
assert libc.sigwaitinfo(mask, info) == SIGNAL
seen["sigwaitinfo"] = code(info)

send()
assert libc.syscall(SYS_RT_SIGTIMEDWAIT, mask, info, None, 8) == SIGNAL
seen["rt_sigtimedwait, by its number"] = code(info)

fd = libc.signalfd(-1, mask, SFD_NONBLOCK)
send()
seen["signalfd"] = struct.unpack_from("Iii", os.read(fd, 128))[2]

Handler = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)


@Handler
def handler(number, info, context):
    seen["handler"] = code(ctypes.string_at(info, 128))


# glibc's struct sigaction: the handler, 128 bytes of mask, the flags.
action = struct.pack("P128sixxxxP", ctypes.cast(handler, ctypes.c_void_p).value, b"", SA_SIGINFO, 0)
assert libc.sigaction(SIGNAL, action, None) == 0
send()
signal.pthread_sigmask(signal.SIG_UNBLOCK, [SIGNAL])

names = {SI_USER: "SI_USER", SI_TKILL: "SI_TKILL"}
for how, what in seen.items():
    print(f"{how:32}{what:3} {names.get(what, '?')}")
others = ("rt_sigtimedwait, by its number", "signalfd", "handler")
sys.exit(not (seen["sigwaitinfo"] == SI_USER and all(seen[how] == SI_TKILL for how in others)))
PYTHON
