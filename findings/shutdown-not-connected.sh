#!/usr/bin/env bash
#
# Expected: a call that fails has changed nothing. shutdown(2) (man-pages 6.03) has ENOTCONN for a socket that "is not
# connected", POSIX the same, and neither has it do anything then.
#
# What happens: the call fails, and has been done. A TCP socket that is shut down before it is connected says
# ENOTCONN, and connects after that without an error. But its sends fail with EPIPE, though its peer has been told no
# end; or, if it was shut down for reading, it reads the end at once, with the peer still there. A UDP socket says
# ENOTCONN, and who waits in recv on it is woken and told 0 bytes from nobody; from then on the socket receives as
# before. inet_shutdown() in net/ipv4/af_inet.c sets its marks on sockets that are not connected, for the sake of
# those who wait, and reports the error all the same. A server that shuts its sockets down and goes by the error takes
# a woken UDP thread's 0 bytes for a datagram.
#
# Seen with: Linux 6.18, IPv4; python3's socket module.
set -euo pipefail

uname -r
python3 - <<'PYTHON'
import errno, socket, sys, threading, time


def told(call, *arguments):
    try:
        result = call(*arguments)
    except TimeoutError:
        return "waits"
    except OSError as error:
        return errno.errorcode.get(error.errno)
    return "the end" if result == b"" else "ok"


def tcp(how):
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as client:
        said = told(client.shutdown, how) if how is not None else "ok"
        connected = told(client.connect, listener.getsockname())
        with listener.accept()[0]:
            client.settimeout(1)
            return said, connected, told(client.send, b"hello"), told(client.recv, 1)


def waits(thread):
    with open(f"/proc/self/task/{thread.native_id}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] == "S"


def udp():
    with socket.socket(type=socket.SOCK_DGRAM) as receiver, socket.socket(type=socket.SOCK_DGRAM) as sender:
        receiver.bind(("127.0.0.1", 0))
        got = []
        thread = threading.Thread(target=lambda: got.append(receiver.recvfrom(10)))
        thread.start()
        while not waits(thread):
            time.sleep(0.01)
        time.sleep(0.2)
        said = told(receiver.shutdown, socket.SHUT_RD)
        thread.join(5)
        sender.sendto(b"real", receiver.getsockname())
        thread.join()
        after = receiver.recvfrom(10)[0] if got[0][0] == b"" else None
        return said, got[0], after


as_stated = True
for name, how, expected in (
    ("no shutdown", None, ("ok", "ok", "ok", "waits")),
    ("SHUT_RD", socket.SHUT_RD, ("ENOTCONN", "ok", "ok", "the end")),
    ("SHUT_WR", socket.SHUT_WR, ("ENOTCONN", "ok", "EPIPE", "waits")),
):
    seen = tcp(how)
    print(f"TCP: {name} {seen[0]}, then connect {seen[1]}, send {seen[2]}, recv {seen[3]}")
    as_stated &= seen == expected
seen = udp()
print(f"UDP: SHUT_RD {seen[0]}; who waits gets {seen[1]}; a datagram after that is received: {seen[2]}")
as_stated &= seen == ("ENOTCONN", (b"", None), b"real")
print("as stated" if as_stated else "different")
sys.exit(not as_stated)
PYTHON
