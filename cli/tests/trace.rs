//! `sylvan trace`: what is made of a file, and what is said of one that is none.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use sylvan_sight::file::{self, Run};
use sylvan_sight::history::{History, State, Waker};
use sylvan_sight::synthetic::{self, Size};

const SIZE: Size = Size { n_threads: 200, n_events: 20_000, n_workers: 3 };

/// Runs `sylvan trace`; returns how it ended, its output and its errors.
fn trace(args: &[&str]) -> (Option<i32>, String, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_sylvan")).arg("trace").args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn place(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// A file of this name with these bytes.
fn file(name: &str, bytes: &[u8]) -> String {
    let path = place(name);
    fs::write(&path, bytes).unwrap();
    path.display().to_string()
}

#[test]
fn a_summary_is_printed() {
    let path = file("summary.trace", &synthetic::file(SIZE));
    let (code, stdout, stderr) = trace(&["summary", &path, "--longest", "2"]);
    assert_eq!((code, &*stderr), (Some(0), ""));
    assert!(stdout.starts_with("/usr/bin/synthetic (process 4711), written "), "{stdout}");
    assert!(stdout.contains("\nwaits for a processor: "), "{stdout}");
}

#[test]
fn a_file_that_is_cut_off_shows_what_it_has() {
    let whole = synthetic::file(SIZE);
    let path = file("cut.trace", &whole[..whole.len() / 2]);
    let (code, stdout, stderr) = trace(&["summary", &path]);
    assert_eq!(code, Some(0));
    assert_eq!(stderr, format!("note: {path} was cut off; this is what it has\n"));
    assert!(stdout.contains("\ncomputed longest\n"), "{stdout}");
    // Nothing but what each trace begins with.
    let path = file("head.trace", &whole[..20]);
    let (code, stdout, stderr) = trace(&["summary", &path]);
    assert_eq!((code, stderr.lines().count()), (Some(0), 1), "{stderr}");
    assert!(stdout.starts_with("a run of a process that is not known\n"), "{stdout}");
    for way in [&["export", "-o", "/dev/null"][..], &["view", "-o", "/dev/null"]] {
        assert_eq!(trace(&[&way[..1], &[&path], &way[1..]].concat()).0, Some(0), "{way:?}");
    }
}

#[test]
fn what_is_no_trace_has_an_exit_status_of_its_own() {
    let mut other = synthetic::file(SIZE);
    other[8] = 77;
    let (empty, other) = (file("empty.trace", b""), file("other.trace", &other));
    let nothing = place("nothing.trace").display().to_string();
    let text = file("text.trace", b"a text, and not a trace\n");
    for way in [&["summary"][..], &["export", "-o", "/dev/null"]] {
        let of = |path: &str| {
            let (code, stdout, stderr) = trace(&[way, &[path]].concat());
            assert_eq!(stdout, "");
            assert_eq!(stderr.lines().count(), 1, "{stderr}");
            assert!(stderr.starts_with(&format!("error: {path}: ")), "{stderr}");
            (code, stderr)
        };
        assert_eq!(of(&nothing).0, Some(117));
        let (code, why) = of(&text);
        assert_eq!(code, Some(118));
        assert!(why.ends_with("this is no trace of sylvan's\n"), "{why}");
        let (code, why) = of(&empty);
        assert_eq!(code, Some(118));
        assert!(why.contains("this file is empty"), "{why}");
        let (code, why) = of(&other);
        assert_eq!(code, Some(119));
        assert!(why.contains("version 77, and version 1 can be read"), "{why}");
    }
    let some = file("some.trace", &synthetic::file(SIZE));
    assert_eq!(trace(&["export", &some, "-o", "/nowhere/at/all"]).0, Some(1));
    for wrong in [&["export", &some][..], &["summary"], &["summary", &some, "-o"], &["fly"], &[]] {
        let (code, _, stderr) = trace(wrong);
        assert_eq!(code, Some(2), "{wrong:?}");
        assert!(stderr.contains("see `sylvan trace --help`"), "{stderr}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_process_that_cannot_be_recorded_has_an_exit_status_of_its_own() {
    let output = place("nothing-recorded.trace").display().to_string();
    let of = |pid: &str| {
        let (code, stdout, stderr) = trace(&[pid, "--seconds", "0.1", "-o", &output]);
        assert_eq!((&*stdout, stderr.lines().count()), ("", 1), "{stderr}");
        assert!(stderr.starts_with(&format!("error: process {pid}: ")), "{stderr}");
        code
    };
    assert_eq!(of("4194305"), Some(120), "above the largest number");
    let mut sleep = Command::new("sleep").arg("30").spawn().unwrap();
    assert_eq!(of(&sleep.id().to_string()), Some(122));
    sleep.kill().unwrap();
    sleep.wait().unwrap();
    assert_eq!(of(&sleep.id().to_string()), Some(120));
    let (code, _, stderr) = trace(&["17"]);
    assert_eq!(code, Some(2), "{stderr}");
}

/// A field of a protocol buffer.
#[derive(Debug)]
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

type Fields<'a> = BTreeMap<u32, Vec<Field<'a>>>;

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first().expect("a whole number");
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return value;
        }
    }
    panic!("a number of more than 64 bits")
}

fn fields(mut bytes: &[u8]) -> Fields<'_> {
    let mut fields = Fields::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let field = match key & 7 {
            0 => Field::Number(varint(&mut bytes)),
            1 => {
                let (word, rest) = bytes.split_first_chunk::<8>().expect("eight bytes");
                bytes = rest;
                Field::Number(u64::from_le_bytes(*word))
            }
            2 => {
                let len = varint(&mut bytes) as usize;
                let (inside, rest) = bytes.split_at(len);
                bytes = rest;
                Field::Bytes(inside)
            }
            other => panic!("a field of kind {other}"),
        };
        fields.entry((key >> 3) as u32).or_default().push(field);
    }
    fields
}

fn number(fields: &Fields<'_>, field: u32) -> Option<u64> {
    match fields.get(&field)?.first()? {
        Field::Number(number) => Some(*number),
        Field::Bytes(_) => None,
    }
}

fn bytes<'a>(fields: &Fields<'a>, field: u32) -> Option<&'a [u8]> {
    match fields.get(&field)?.first()? {
        Field::Number(_) => None,
        Field::Bytes(bytes) => Some(bytes),
    }
}

/// The run of a file, and what was exported of it.
fn exported(name: &str) -> (Run, Vec<u8>) {
    let whole = synthetic::file(SIZE);
    let path = file(&format!("{name}.trace"), &whole);
    let output = place(&format!("{name}.perfetto-trace")).display().to_string();
    let (code, stdout, stderr) = trace(&["export", &path, "-o", &output]);
    assert_eq!((code, &*stdout, &*stderr), (Some(0), "", ""));
    (file::read(&whole).unwrap(), fs::read(output).unwrap())
}

#[test]
fn what_is_exported_has_a_track_for_each_thread_and_worker() {
    let (run, exported) = exported("tracks");
    let history = History::of(&run);
    let packets = fields(&exported);
    assert_eq!(packets.len(), 1, "packets alone");
    let mut tracks = BTreeMap::new();
    let mut depth = BTreeMap::new();
    let (mut begun, mut arrows) = (0, [BTreeMap::new(), BTreeMap::new()]);
    for packet in &packets[&1] {
        let Field::Bytes(packet) = packet else { panic!("a packet") };
        let packet = fields(packet);
        assert_eq!(number(&packet, 10), Some(1), "the sequence");
        if let Some(track) = bytes(&packet, 60) {
            let track = fields(track);
            let uuid = number(&track, 1).unwrap();
            let parent = number(&track, 5);
            assert!(parent.is_none_or(|parent| tracks.contains_key(&parent)), "first the parent");
            let name = bytes(&track, 2).map(|name| String::from_utf8(name.to_vec()).unwrap());
            assert!(tracks.insert(uuid, name).is_none(), "once");
            continue;
        }
        let at_ns = number(&packet, 8).expect("a time");
        assert!(at_ns <= history.end_ns);
        let event = fields(bytes(&packet, 11).expect("a track event"));
        let track = number(&event, 11).unwrap();
        assert!(tracks.contains_key(&track));
        let depth: &mut i32 = depth.entry(track).or_default();
        match number(&event, 9) {
            Some(1) => {
                *depth += 1;
                begun += 1;
            }
            Some(2) => *depth -= 1,
            Some(3) => assert!(bytes(&event, 23).is_some(), "a name"),
            other => panic!("an event of kind {other:?}"),
        }
        assert!((0..=1).contains(depth));
        for (arrows, field) in arrows.iter_mut().zip([47, 48]) {
            if let Some(flow) = number(&event, field) {
                assert!(arrows.insert(flow, at_ns).is_none(), "an arrow has one end of each kind");
            }
        }
    }
    assert!(depth.values().all(|depth| *depth == 0));
    // The process, the workers, "main", "client-*" and those without a name, and the threads.
    assert_eq!(tracks.len(), 1 + 3 + 3 + 200);
    let names: Vec<&str> = tracks.values().flatten().map(String::as_str).collect();
    for name in ["main (1)", "client-* (99)", "unnamed threads (100)", "client-4 (4)", "thread 3"] {
        assert!(names.contains(&name), "{name} is in {names:?}");
    }
    let spans = || history.threads.iter().flat_map(|thread| &thread.spans);
    let on_workers = spans().filter(|span| span.place.is_some()).count();
    assert!(begun >= spans().count() + on_workers, "{begun}");
    let woken = spans().filter(|span| {
        span.state == State::Runnable && matches!(span.waker, Some(Waker::Thread(_)))
    });
    let [from, to] = arrows;
    assert_eq!(from.len(), woken.count());
    // Who has not run yet has no other end.
    assert!(to.len() <= from.len() && to.len() + 200 >= from.len());
    assert!(to.iter().all(|(flow, at_ns)| from[flow] <= *at_ns));
}
