#!/usr/bin/env bash
#
# Expected: what a load generator prints as latencies, it has measured. wrk's README (4.1.0) has --latency print
# "detailed latency statistics", and its SCRIPTING file has a script's done() get the least, the greatest and the mean
# "value seen".
#
# What happens: before it prints, wrk adds latencies that nobody has seen, and nothing that it prints says so. For
# each request that took more than twice the mean time between two of a connection it adds a row of others, one for
# each such time that passed meanwhile, as if they had waited with it (stats_correct in src/stats.c). The list of
# changes mentions a correction of coordinated omission, its author explains it so in
# https://github.com/wg/wrk/issues/326, and https://github.com/wg/wrk/issues/485 has doubts. Here one request of a
# thousand or more takes a second; one in ten is said to take 0.1 s and more, and the mean is many times the real one.
# Who compares two servers by it compares their longest pauses. The number of requests, and that per second, are what
# they were.
#
# Seen with: wrk 4.1.0-3+b2 of Debian 12 (fetched here with the libraries that it needs), Linux 6.18, x86-64.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
(cd "$work" && apt-get -q -o APT::Sandbox::User=root download wrk=4.1.0-3+b2 libluajit-5.1-2 libluajit-5.1-common libssl3 \
    >apt.log 2>&1) || {
    cat "$work/apt.log"
    exit 1
}
for package in "$work"/*.deb; do
    dpkg -x "$package" "$work/root"
done

cat >"$work/serve.py" <<'PYTHON'
import os, re, socket, subprocess, sys, threading, time

root = sys.argv[1]
REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
PAUSE_AT = 50
took = []


def serve(connection):
    while connection.recv(4096):
        begun = time.monotonic()
        time.sleep(1 if len(took) == PAUSE_AT else 0.001)
        connection.sendall(REPLY)
        took.append(1000 * (time.monotonic() - begun))


def accept(listener):
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


def milliseconds(text):
    number, unit = re.fullmatch(r"([0-9.]+)(us|ms|s)", text).groups()
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


listener = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=accept, args=(listener,), daemon=True).start()
url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
run = subprocess.run(
    [f"{root}/usr/bin/wrk", "-t1", "-c1", "-d6", "--latency", url],
    env=dict(os.environ, LD_LIBRARY_PATH=f"{root}/usr/lib/x86_64-linux-gnu:{root}/lib/x86_64-linux-gnu"),
    capture_output=True,
    text=True,
    timeout=60,
)
said = {name: milliseconds(re.search(rf"{name}\s+(\S+)", run.stdout)[1]) for name in ("Latency", "90%")}
requests = int(re.search(r"(\d+) requests in", run.stdout)[1])
real = sorted(took[:requests])
mean, tenth = sum(real) / len(real), real[len(real) * 9 // 10]
print(f"server: {requests} requests, {sum(t > 100 for t in real)} over 0.1 s, mean {mean:.1f} ms, 90% {tenth:.1f} ms")
print(f"wrk: mean {said['Latency']:.1f} ms, 90% {said['90%']:.1f} ms")
as_stated = said["Latency"] > 5 * mean and said["90%"] > 5 * tenth
print("as stated" if as_stated else "different")
sys.exit(not as_stated)
PYTHON
timeout 100 python3 "$work/serve.py" "$work/root"
