"""A real browser without a window, for the page of `sylvan trace view`: Debian's Chromium, by its driver."""
import contextlib
import tempfile
import time

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

# Nothing that the browser does of itself: no window, no look for updates, no profile that is kept.
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --window-size=1400,900 --force-device-scale-factor=1"
)


@contextlib.contextmanager
def browser():
    """A browser that is gone afterwards, and so is its profile."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for flag in FLAGS.split():
            options.add_argument(flag)
        options.add_argument(f"--user-data-dir={profile}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
        try:
            yield driver
        finally:
            driver.quit()


def check(is_so, what):
    if not is_so:
        raise AssertionError(what)


def until(true, what, seconds=60):
    """Waits until `true()`; what is shown comes with a frame."""
    end = time.monotonic() + seconds
    while not true():
        check(time.monotonic() < end, f"not within {seconds} s: {what}")
        time.sleep(0.02)


def open_page(driver, path, asked=""):
    """Opens a page, with what is asked of it behind its address, and waits until it is drawn."""
    driver.get("about:blank")
    driver.get(f"file://{path}#theme=light{asked}")
    until(lambda: driver.execute_script("return document.documentElement.dataset.ready") == "yes", "it is ready")
    until(lambda: rows(driver) > 0, "it is drawn")


def rows(driver):
    return int(driver.execute_script("return document.getElementById('labels').dataset.rows") or 0)
