#!/usr/bin/env bash
#
# Expected: a client that has sent its last request may say so, shutdown(SHUT_WR), and read on: RFC 9293,
# 3.6: "A user who CLOSEs may continue to RECEIVE until the TCP receiver is told that the remote peer
# has CLOSED also". `nc -N` does it, so a request from a pipe ends so. A server may refuse to serve such
# a client; one that has begun its reply finishes it.
#
# What happens: Redis takes the end of the input for the end of the connection as soon as it sees it, and
# drops what it has not yet written of its reply. Small replies are whole, as they are written before it
# reads on; of a big one the client gets some part, then an orderly end of stream: no reset, no error.
# memcached does not read while it writes, and finishes a reply of the same size.
#
# Seen with: Linux 6.18; redis-tools (its redis-server) 5:7.0.15-1~deb12u10 and memcached
# 1.6.18-1+deb12u1, with the libraries that they need, on Debian 12 (fetched here from Debian).
set -euo pipefail

work=$(mktemp -d)
server=
finish() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    rm -rf "$work"
}
trap finish EXIT
chmod 755 "$work"
(cd "$work" && apt-get -q -o APT::Sandbox::User=root download redis-tools=5:7.0.15-1~deb12u10 \
    liblzf1=3.6-3 libjemalloc2=5.3.0-1 libatomic1=12.2.0-14+deb12u1 memcached=1.6.18-1+deb12u1 \
    libevent-2.1-7=2.1.12-stable-8 libsasl2-2=2.1.28+dfsg-10 >apt.log 2>&1) || {
    cat "$work/apt.log"
    exit 1
}
for package in "$work"/*.deb; do
    dpkg -x "$package" "$work/root"
done

cat >"$work/ask.py" <<'PYTHON'
import socket, sys

kind, port = sys.argv[1], int(sys.argv[2])
VALUE = 48 << 20  # far more than the buffers of a socket hold
BIG, SMALL = b"x" * VALUE, b"x" * 100


def connect():
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def store(name, value):
    if kind == "redis":
        request = b"*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n" % (len(name), name, len(value))
    else:
        request = b"set %s 0 0 %d\r\n" % (name, len(value))
    with connect() as client:
        client.sendall(request + value + b"\r\n")
        answer = client.recv(100)
    assert answer in (b"+OK\r\n", b"STORED\r\n"), answer


def fetch(name, length, half_close):
    """How many bytes of a reply of known length come, and what ends it."""
    digits = len(str(length))
    if kind == "redis":
        whole = len("$\r\n\r\n") + digits + length
    else:
        whole = len("VALUE  0 \r\n\r\nEND\r\n") + len(name) + digits + length
    with connect() as client:
        client.sendall(b"GET %s\r\n" % name if kind == "redis" else b"get %s\r\n" % name)
        if half_close:
            client.shutdown(socket.SHUT_WR)
        got = 0
        try:
            while got < whole:
                piece = client.recv(1 << 16)
                if not piece:
                    print(f"({got} of {whole} bytes)", file=sys.stderr)
                    return "cut short, end of stream"
                got += len(piece)
        except OSError as error:
            return repr(error)
        return "whole"


store(b"small", SMALL)
store(b"big", BIG)
seen = [
    fetch(b"small", len(SMALL), True),
    fetch(b"big", len(BIG), False),
    fetch(b"big", len(BIG), True),
]
print("; ".join(seen))
PYTHON

libraries=$(echo "$work"/root/usr/lib/*-linux-gnu)
different=0
# check KIND EXPECTED COMMAND...: starts a server, asks it, and ends it.
check() {
    local kind=$1 expected=$2 seen
    shift 2
    LD_LIBRARY_PATH=$libraries "$@" >"$work/log" 2>&1 &
    server=$!
    for _ in $(seq 100); do
        if (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            break
        fi
        sleep 0.1
    done
    seen=$(timeout 25 python3 "$work/ask.py" "$kind" "$port") || cat "$work/log"
    kill "$server"
    wait "$server" || true
    server=
    echo "$kind: $seen"
    [ "$seen" = "$expected" ] || different=1
}
port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

echo "small half-closed; big open; big half-closed:"
# Debian's redis-server is a link to this program, which goes by its name.
ln -s redis-check-rdb "$work/root/usr/bin/redis-server"
port=$(port)
check redis "whole; whole; cut short, end of stream" \
    "$work/root/usr/bin/redis-server" --bind 127.0.0.1 --port "$port" --save "" --dir "$work"
port=$(port)
check memcached "whole; whole; whole" \
    "$work/root/usr/bin/memcached" -l 127.0.0.1 -p "$port" -U 0 -m 256 -I 64m -u "$(id -un)"
exit $different
