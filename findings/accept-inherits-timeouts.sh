#!/usr/bin/env bash
#
# Expected: accept(2) (man-pages 6.03): the new socket "does not inherit file status flags such as O_NONBLOCK" from
# the listener; of timeouts it is silent, and socket(7) has SO_RCVTIMEO for accept(2) too, so that is how one has a
# blocking accept end after a while. One would take it for the listener's own.
#
# What happens: over TCP each connection gets the listener's timeouts, and a server that lets its accept time out
# finds that reads of its connections do so as well. They get what the listener had when they were established, not
# when they were accepted: a connection that was in the queue before the timeout was set has none. On a Unix listener
# the same setting is the accept's alone.
#
# Seen with: Linux 6.18; python3's socket module.
set -euo pipefail

uname -r
python3 - <<'PYTHON'
import socket, struct, sys

ADDRESSES = {"TCP": (socket.AF_INET, ("127.0.0.1", 0)), "Unix": (socket.AF_UNIX, "")}
# In ticks of any kernel's clock.
TIMEOUT = struct.pack("ll", 2, 0)


def timed_out(call, *arguments):
    try:
        call(*arguments)
    except BlockingIOError:
        return True
    return False


seen = {}
for name, (family, address) in ADDRESSES.items():
    with socket.socket(family) as listener:
        listener.bind(address)
        listener.listen()
        clients = [socket.create_connection(listener.getsockname()) if name == "TCP" else socket.socket(family)]
        if name == "Unix":
            clients[0].connect(listener.getsockname())
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, TIMEOUT)
        clients.append(socket.socket(family))
        clients[1].connect(listener.getsockname())
        accepted = [listener.accept()[0] for _ in clients]
        timeouts = [a.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, 16) == TIMEOUT for a in accepted]
        # A read of the second one, where it would end; the accept ends in any case.
        reads = timeouts[1] and timed_out(accepted[1].recv, 1)
        seen[name] = (timed_out(listener.accept), timeouts[0], timeouts[1], reads)
        print(
            f"{name}: accept times out {seen[name][0]}; a connection from before has the timeout {timeouts[0]}, "
            f"one from after it {timeouts[1]}, and its read times out {reads}"
        )
as_stated = seen == {"TCP": (True, False, True, True), "Unix": (True, False, False, False)}
print("as stated" if as_stated else "different")
sys.exit(not as_stated)
PYTHON
