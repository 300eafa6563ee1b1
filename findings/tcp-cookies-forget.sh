#!/usr/bin/env bash
#
# Expected: a client whose connect has succeeded is accepted sooner or later, or told that it is not. listen(2) of the
# man-pages: where the queue is full "the client may receive an error" of ECONNREFUSED "or, if the underlying protocol
# supports retransmission, the request may be ignored so that a later reattempt at connection succeeds".
#
# What happens, where fifty clients come to a listener with a backlog of five that accepts all the time: all fifty are
# told that they are connected, a dozen are accepted, and nobody ever hears of the rest. The server waits in accept,
# with an empty queue. For the first round of SYNs the queue has room for six, and the others are dropped. A second
# later they come again all at once. Where more are under way than the backlog, the kernel answers with SYN cookies and
# keeps nothing of who has asked. The client's ACK finds the queue full and is dropped, and as nothing is kept there is
# no SYN-ACK to be sent again. So a client that waits for the server to speak first (SMTP, MySQL, SSH) waits for ever,
# without an error. One that speaks itself is accepted then: its data brings the cookie once more.
#
# Without cookies (net.ipv4.tcp_syncookies=0; 1 is the default) all who are told that they are connected are accepted,
# and the rest within some seconds.
#
# Seen with: Linux 6.18, net.ipv4.tcp_syncookies=1, net.ipv4.tcp_abort_on_overflow=0, Python 3.11, by the kernel's
# own counts (/proc/net/netstat), whose names are in brackets below. It takes 15 seconds.
set -euo pipefail

[ "$(cat /proc/sys/net/ipv4/tcp_syncookies)" = 1 ] || { echo "SYN cookies are not as by default"; exit 1; }

seen=$(timeout 60 python3 - <<'PYTHON'
import select, socket, threading, time

ESTABLISHED = 1


def count(name):
    with open("/proc/net/netstat") as file:
        lines = file.read().splitlines()
    for names, values in zip(lines[::2], lines[1::2]):
        if name in names.split():
            return int(values.split()[names.split().index(name)])


def state(client):
    return client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[0]


cookies = count("SyncookiesSent")
server = socket.create_server(("127.0.0.1", 0), backlog=5)
accepted = []


def serve():
    while True:
        connection, _ = server.accept()
        connection.send(b"220 ready\r\n")
        accepted.append(connection)
        time.sleep(0.002)


threading.Thread(target=serve, daemon=True).start()
clients = [socket.socket() for _ in range(50)]
for client in clients:
    client.setblocking(False)
    client.connect_ex(server.getsockname())
time.sleep(8)
connected = [client for client in clients if state(client) == ESTABLISHED]
greeted = select.select(connected, [], [], 0)[0]
forgotten = [client for client in connected if client not in greeted]
print("connected", len(connected) == 50)
print("greeted, fewer than half", len(greeted) == len(accepted) < 25)
print("by cookies [SyncookiesSent]", count("SyncookiesSent") > cookies)
for client in forgotten[:3]:
    client.send(b"HELO x\r\n")
    time.sleep(1)
print("greeted, once they have spoken", len(select.select(forgotten[:3], [], [], 1)[0]))
PYTHON
)
echo "$seen"
[ "$seen" = "connected True
greeted, fewer than half True
by cookies [SyncookiesSent] True
greeted, once they have spoken 3" ]
