"""Opens pages of `sylvan trace view` in a real browser, and says what is not as it should be.

usage: page.py FOLDER

FOLDER has the pages that `page.rs` has written: `exact.html`, whose run is known to the microsecond;
`small.html`, `large.html`, of synthetic runs; and `expected.json`. Each fact is a function here, which gets
the browser; it ends with what was seen if one does not hold.
"""
import json
import sys
from pathlib import Path

from browser import browser, check, open_page as open_path, rows, until
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

FOLDER = Path(sys.argv[1]).resolve()
EXPECTED = json.loads((FOLDER / "expected.json").read_text())


def open_page(driver, name, asked=""):
    open_path(driver, FOLDER / f"{name}.html", asked)


def element(driver, name):
    return driver.find_element(By.ID, name)


def text(driver, name):
    return element(driver, name).text


def labels(driver):
    """The rows on the screen: their names, and where they are."""
    return driver.execute_script(
        "return [...document.querySelectorAll('.label:not([hidden])')].map(label => {"
        " const box = label.getBoundingClientRect();"
        " return { name: label.firstChild.textContent, y: (box.top + box.bottom) / 2,"
        "   isSelected: label.getAttribute('aria-selected') === 'true' }; })"
    )


def label(driver, name):
    found = [label for label in labels(driver) if label["name"] == name]
    check(len(found) == 1, f"one row is named {name}: {labels(driver)}")
    return found[0]


def press(driver, key):
    ActionChains(driver).send_keys(key).perform()


def window(driver):
    """The part of the run that is shown: its two ends, in words."""
    return text(driver, "window").split(" … ")


def spot(driver, row, at_us, whole_us):
    """Where on the screen a moment of a row is."""
    box = driver.execute_script("return document.getElementById('rows').getBoundingClientRect()")
    return round(box["left"] + at_us / whole_us * box["width"]), round(label(driver, row)["y"])


def click(driver, place):
    ActionChains(driver).move_by_offset(*place).click().move_by_offset(-place[0], -place[1]).perform()


def color(driver, place):
    """The colour of the rows' canvas at a place of the screen."""
    return driver.execute_script(
        "const canvas = document.getElementById('rows'), box = canvas.getBoundingClientRect();"
        "const [x, y] = [arguments[0] - box.left, arguments[1] - box.top];"
        "const [r, g, b] = canvas.getContext('2d').getImageData(x, y, 1, 1).data;"
        "return '#' + [r, g, b].map(part => part.toString(16).padStart(2, '0')).join('')",
        *place,
    )


def a_run_has_a_row_for_each_thread(driver):
    open_page(driver, "small")
    check(rows(driver) == EXPECTED["small_rows"], f"{rows(driver)} rows, {EXPECTED['small_rows']} expected")
    names = [label["name"] for label in labels(driver)]
    for name in ["OS threads", "worker 0 (100)", "main", "client-#", "client-4", "thread 3"]:
        check(name in names, f"{name} is among {names}")


def each_moment_has_its_colour(driver):
    open_page(driver, "exact", "&arrows=off")
    for row, at_us, expected in EXPECTED["colors"]:
        seen = color(driver, spot(driver, row, at_us, 1000))
        check(seen == expected, f"{row} is {seen} at {at_us} µs, not {expected}")


def a_click_says_what_a_thread_waits_for_and_who_woke_it(driver):
    open_page(driver, "exact")
    click(driver, spot(driver, "reader", 250, 1000))
    until(lambda: "waits: channel" in text(driver, "details"), text(driver, "details"))
    details = text(driver, "details")
    for fact in ["reader (2)", "300 µs", "woken by writer <b>&amp; at", "wanted a processor for 50.0 µs"]:
        check(fact in details, f"{fact!r} is in {details!r}")
    press(driver, "w")
    until(lambda: "writer" in element(driver, "details").find_element(By.TAG_NAME, "h2").text, "it is at the waker")
    check("running" in text(driver, "details"), text(driver, "details"))
    check(label(driver, "writer <b>&amp;")["isSelected"], labels(driver))
    press(driver, ".")
    until(lambda: "blocking section" in text(driver, "details"), text(driver, "details"))


def it_zooms_and_moves(driver):
    open_page(driver, "exact")
    whole = window(driver)
    check(whole == ["0 µs", "1.000 ms"], whole)
    press(driver, "+")
    until(lambda: window(driver) == ["166.7 µs", "833.3 µs"], f"zoomed in: {window(driver)}")
    press(driver, Keys.ARROW_RIGHT)
    until(lambda: window(driver)[1] == "916.7 µs", f"moved: {window(driver)}")
    element(driver, "fit").click()
    until(lambda: window(driver) == whole, f"all of it again: {window(driver)}")
    # The wheel zooms where the mouse is: what is below it stays there.
    at = spot(driver, "reader", 250, 1000)
    driver.execute_script(
        "document.getElementById('rows').dispatchEvent(new WheelEvent('wheel', { deltaY: -208, ctrlKey: true,"
        " clientX: arguments[0], clientY: arguments[1], bubbles: true, cancelable: true }))",
        *at,
    )
    until(lambda: window(driver) != whole, "zoomed by the wheel")
    click(driver, at)
    until(lambda: "waits: channel" in text(driver, "details"), text(driver, "details"))


def a_thread_is_found_by_its_name_among_ten_thousand(driver):
    open_page(driver, "large")
    check(rows(driver) == EXPECTED["large_rows"], f"{rows(driver)} rows, {EXPECTED['large_rows']} expected")
    press(driver, "/")
    element(driver, "query").send_keys("client-7008", Keys.ENTER)
    until(lambda: text(driver, "found") == "1 of 1 thread", text(driver, "found"))
    until(lambda: "client-7008 (7008)" in text(driver, "details"), text(driver, "details"))
    check(label(driver, "client-7008")["isSelected"], labels(driver))
    opened = EXPECTED["large_rows"] + EXPECTED["clients"]
    check(rows(driver) == opened, f"its group is open: {rows(driver)} rows, {opened} expected")
    check(len(labels(driver)) < 100, f"{len(labels(driver))} rows are drawn, and no more than there is room for")


def a_million_events_are_drawn_at_once(driver):
    """On from the last one, with ten thousand rows and all of the time."""
    element(driver, "fit").click()
    driver.set_script_timeout(120)
    took = driver.execute_async_script(
        "const done = arguments[0], times = [];"
        "document.activeElement.blur();"
        "(async () => {"
        " for (let i = 0; i < 16; i++) {"
        "  const begin = performance.now();"
        "  const key = ['+', 'ArrowRight', 'ArrowDown', '-'][i % 4];"
        "  document.body.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));"
        "  await new Promise(drawn => requestAnimationFrame(() => setTimeout(drawn)));"
        "  times.push(performance.now() - begin);"
        " }"
        " done(times.sort((a, b) => a - b));"
        "})();"
    )
    print(f"  a frame of {EXPECTED['events']:,} events: {took[8]:.0f} ms, the longest of 16 {took[15]:.0f} ms")
    check(took[8] < 1000, f"half of the frames took longer than {took[8]:.0f} ms")


def keys_open_groups_and_choose_rows(driver):
    open_page(driver, "large")
    check(rows(driver) == EXPECTED["large_rows"], rows(driver))
    for _ in range(EXPECTED["workers"] + 2):  # the workers, main, and the first group
        press(driver, Keys.ARROW_DOWN)
    until(lambda: "unnamed, by main" in text(driver, "details"), text(driver, "details"))
    press(driver, Keys.ENTER)
    until(lambda: rows(driver) > EXPECTED["large_rows"], "the group is open")
    press(driver, Keys.ARROW_DOWN)
    until(lambda: "thread 3" in text(driver, "details"), text(driver, "details"))


FACTS = [
    a_run_has_a_row_for_each_thread,
    each_moment_has_its_colour,
    a_click_says_what_a_thread_waits_for_and_who_woke_it,
    it_zooms_and_moves,
    a_thread_is_found_by_its_name_among_ten_thousand,
    a_million_events_are_drawn_at_once,
    keys_open_groups_and_choose_rows,
]


def main():
    with browser() as driver:
        for fact in FACTS:
            fact(driver)
            # Errors of scripts, and whatever the page may not load.
            said = [line["message"] for line in driver.get_log("browser") if line["level"] == "SEVERE"]
            check(not said, f"{fact.__name__}: the browser says {said}")
            print(f"{fact.__name__}: ok", flush=True)


main()
