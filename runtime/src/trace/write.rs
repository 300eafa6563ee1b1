//! The file of a recording from the start: at the end of the process, and at a signal.
//!
//! | variable | says |
//! |---|---|
//! | `SYLVAN_TRACE` | the file; `%p` in it stands for the number of the process |
//! | `SYLVAN_TRACE_MB` | the size of a worker's ring, rounded down to a power of two; 16 by default |
//! | `SYLVAN_TRACE_SIGNAL` | the signal at which it is written, too (`at_signal`) |
//!
//! The file is made at the start, so that one that cannot be is an error then, and is empty until it is
//! written. At the end of the process that is done by what libc calls there (`atexit`): after `main`, or in
//! `exit`, whichever thread calls it. Others run meanwhile, and go on to record. Nothing is written where a
//! process ends in another way: by a signal, by `_exit`, or by `abort`.
//!
//! A child of a fork that starts the runtime has a file of its own: if the name has no `%p`, the number of the
//! process is appended. At signals the number of the signal so far is: `FILE.1`, `FILE.2`.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use sylvan_sight::file::{About, Why, Writer};
use sylvan_sight::recording::{FROM_START, OFF};

use super::{CONTROL, RECORDED, now_ns, prepare, ring, set};
use crate::at_signal;
use crate::env;
use crate::life::PerLife;
use crate::lock::Lock;
use crate::park::WaitReason;
use crate::report;
use crate::sys::file::File;
use crate::sys::thread;

/// Bytes of an event.
const EVENT: u64 = 16;

/// What the environment says.
#[derive(Debug)]
pub(crate) struct Settings {
    path: PathBuf,
    n_events: u64,
    signal: Option<i32>,
    n_cores: u32,
}

/// A recording from the start.
struct Recording {
    path: PathBuf,
    program: String,
    n_cores: u32,
    n_signals: AtomicU32,
    /// One who writes at a time.
    writing: Lock<()>,
}

static RECORDING: PerLife<Recording> = PerLife::new();

impl Settings {
    /// What the environment says; `None` if nothing is to be recorded.
    ///
    /// # Errors
    ///
    /// Where a variable has no usable value.
    pub(crate) fn from_env(n_cores: usize) -> io::Result<Option<Self>> {
        let Some(path) = env::file("SYLVAN_TRACE")? else { return Ok(None) };
        let megabytes = env::positive("SYLVAN_TRACE_MB")?;
        let n_events = megabytes.map_or(0, |n| ((n as u64) << 20) / EVENT);
        let signal = at_signal::from_env("SYLVAN_TRACE_SIGNAL")?;
        let file = File::create(&path);
        file.map_err(|error| env::cannot_write("SYLVAN_TRACE", &path, error))?;
        Ok(Some(Self { path, n_events, signal, n_cores: n_cores as u32 }))
    }
}

/// Begins to record. By the start of the runtime, before there is a worker.
pub(crate) fn begin(settings: Settings) {
    let Settings { path, n_events, signal, n_cores } = settings;
    let program = std::env::current_exe().unwrap_or_default().display().to_string();
    let n_signals = AtomicU32::new(0);
    RECORDING.begin(Recording { path, program, n_cores, n_signals, writing: Lock::new(()) });
    CONTROL.n_events.store(n_events, Ordering::Relaxed);
    prepare(FROM_START);
    set(RECORDED, true);
    /// What libc is to call stays so in a child of a fork.
    static IS_TOLD: AtomicBool = AtomicBool::new(false);
    if !IS_TOLD.swap(true, Ordering::Relaxed) {
        // SAFETY: it may be called at the end of any process that this one is, or forks.
        unsafe { libc::atexit(at_exit) };
    }
    if let Some(signal) = signal {
        at_signal::attend("sylvan-trace", signal, true, || write(Why::Signal));
    }
}

/// In a child of a fork: it is the parent's.
pub(super) fn forget() {
    let _ = RECORDING.forget();
    debug_assert_eq!(CONTROL.state.load(Ordering::Relaxed), OFF);
}

extern "C" fn at_exit() {
    write(Why::Exit);
}

/// Writes the file.
pub(super) fn write(why: Why) {
    let Some(recording) = RECORDING.get() else { return };
    let _writing = recording.writing.lock();
    let mut name = recording.path.clone().into_os_string();
    if why == Why::Signal {
        let n = recording.n_signals.fetch_add(1, Ordering::Relaxed) + 1;
        name.push(format!(".{n}"));
    }
    if let Err(error) = recording.write(Path::new(&name), why) {
        let name = Path::new(&name).display();
        report::say(format_args!("sylvan: {name:.200} cannot be written: {error}\n"));
    }
}

impl Recording {
    fn write(&self, path: &Path, why: Why) -> io::Result<()> {
        let about = About {
            pid: thread::process(),
            n_cores: self.n_cores,
            why,
            began_unix_ns: CONTROL.began_unix_ns.load(Ordering::Relaxed),
            ended_ns: now_ns(),
            program: self.program.clone(),
        };
        let mut writer = Writer::new(File::create(path)?, &about)?;
        writer.reasons(WaitReason::ALL.iter().map(|reason| reason.text()))?;
        for ring in ring::all() {
            let (n_lost, events) = ring.events();
            let (os_thread, core) = ring.place();
            writer.ring(os_thread, core, n_lost, events)?;
        }
        writer.end()?;
        Ok(())
    }
}
