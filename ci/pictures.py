"""Makes the pictures in `docs/pictures`: records examples, and takes screenshots of their pages.

usage: pictures.py FOLDER-OF-PROGRAMS FOLDER-OF-PICTURES

What the examples talk to is started here: a server of a few lines that takes a while for each answer, and a
Redis of its own.
"""
import contextlib
import os
import re
import resource
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "cli/tests"))

from browser import browser, open_page, until  # noqa: E402

PROGRAMS, PICTURES = (Path(argument).resolve() for argument in sys.argv[1:])
WIDTH = 1180
# Other programs may want the processors, and keep a worker waiting, so that there is another: of as many runs the
# one with the fewest OS threads is shown, and of these the quickest.
RUNS = 40
UNITS_MS = {"µs": 1e-3, "ms": 1, "s": 1e3}


class Slow(BaseHTTPRequestHandler):
    """Answers each request after as many milliseconds as its path says."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        time.sleep(float(self.path.split("/")[1]) / 1000)
        page = b"a page\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(page)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def server():
    """The port of a server of `Slow`."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Slow) as it:
        threading.Thread(target=it.serve_forever, daemon=True).start()
        yield it.server_port
        it.shutdown()


@contextlib.contextmanager
def redis(folder):
    """The path of the socket of a Redis."""
    socket = folder / "redis.sock"
    command = ["redis-server", "--port", "0", "--unixsocket", str(socket), "--save", "", "--appendonly", "no"]
    it = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    try:
        until(socket.exists, "Redis is there")
        yield str(socket)
    finally:
        it.kill()
        it.wait()


def picture(driver, folder, name, height, command):
    """Records runs of an example on two workers, and takes a picture of the page of one, all groups open."""
    program, *arguments = command

    def record(n):
        trace = folder / f"{name}.{n}.trace"
        environment = {**os.environ, "SYLVAN_TRACE": str(trace), "SYLVAN_WORKERS": "2"}
        subprocess.run([PROGRAMS / program, *arguments], env=environment, check=True, stdout=subprocess.DEVNULL)
        summary = subprocess.check_output([PROGRAMS / "sylvan", "trace", "summary", trace], text=True)
        lasts, unit, n_os_threads = re.search(r"of the last ([\d.]+) (\S+): .* on (\d+) OS", summary).groups()
        return max(int(n_os_threads), 2), float(lasts) * UNITS_MS[unit], trace

    *_, trace = min(record(n) for n in range(RUNS))
    take(driver, trace, name, height, "&open=all")


def picture_of_stuck(driver, folder, name, height):
    """Records a second of a server in trouble from outside, and takes a picture of its page."""
    trace = folder / f"{name}.trace"
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    environment = {**os.environ, "SYLVAN_WORKERS": "2"}
    stuck = subprocess.Popen(
        [PROGRAMS / "stuck", "10000"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)),
    )
    try:
        stuck.stdout.readline()
        command = [PROGRAMS / "sylvan", "trace", str(stuck.pid), "--seconds", "1", "-o", trace]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    finally:
        stuck.kill()
        stuck.wait()
    take(driver, trace, name, height)


def take(driver, trace, name, height, asked=""):
    """Takes a picture of the page of a trace."""
    page = trace.with_suffix(".html")
    subprocess.run([PROGRAMS / "sylvan", "trace", "view", trace, "-o", page], check=True)
    size = {"width": WIDTH, "height": height, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    open_page(driver, page, f"&panel=off{asked}")
    driver.save_screenshot(str(PICTURES / f"{name}.png"))


def main():
    PICTURES.mkdir(exist_ok=True)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port = stack.enter_context(server())
        socket = stack.enter_context(redis(folder))
        driver = stack.enter_context(browser())
        # As many names as are asked for at a time: the same one would be asked once.
        names = ["localhost", "Localhost", "LOCALHOST"]
        urls = [f"http://{names[n % 3]}:{port}/{{}}/{n}" for n in range(30)]
        after = lambda ms: [url.format(ms) for url in urls]
        picture(driver, folder, "three-fetches", 400, ["fetch", "3", *after(1)[:3]])
        picture(driver, folder, "three-at-redis", 400, ["redis_unix", socket, "3", "10"])
        picture(driver, folder, "three-of-thirty", 970, ["fetch", "3", *after(10)])
        picture_of_stuck(driver, folder, "ten-thousand-clients", 400)


main()
