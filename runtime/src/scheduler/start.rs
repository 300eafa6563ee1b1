//! The start: all of it or nothing.
//!
//! What can be refused comes first, and is in use by nobody: the event loops, and the OS threads, which
//! wait at a gate. If anything is refused, the gate is shut for good, the threads that are there already
//! have ended, and the event loops are closed. It is as if there had been no start, and the next one may
//! have other settings. Else all is put in its place, the gate opens, and each thread goes to its work.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::core::Core;
use super::habit::Habits;
use super::idle::Idle;
use super::inject::Inject;
use super::near::Seats;
use super::owner::Leases;
use super::pace::Pace;
use super::spare::{Assignment, Spares};
use super::watch::Watch;
use super::{SCHEDULER, Scheduler, get, start_os_thread, wardrobe};
use crate::context::tls::TlsMode;
use crate::os_thread::OsThread;
use crate::primitive::{AtomicBool, AtomicU32, Ordering};
use crate::reactor::{self, Loop};
use crate::sys::futex;
use crate::timer;
use crate::trace;

/// How it is to be set up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) n_cores: usize,
    pub(crate) n_threads_max: usize,
    pub(crate) tls_mode: TlsMode,
    /// Warn of runs that last longer.
    pub(crate) warn_blocking: Option<Duration>,
}

/// All that the kernel may refuse. Dropped, it is given back.
pub(crate) struct Prepared {
    settings: Settings,
    loops: Box<[Loop]>,
    gate: Gate,
}

/// Has the kernel give what the scheduler needs.
///
/// # Errors
///
/// What it says.
pub(crate) fn prepare(settings: Settings) -> io::Result<Prepared> {
    wardrobe::init();
    let loops = reactor::make(settings.n_cores, super::interrupt)?;
    let mut gate = Gate::new();
    for index in 0..settings.n_cores {
        let worker = move || {
            let scheduler = get();
            scheduler.spares.register(false);
            if scheduler.work(Assignment::Core(&scheduler.cores[index])) {
                scheduler.serve_as_spare();
            }
        };
        gate.start(format!("sylvan-worker-{index}"), worker)?;
    }
    gate.start("sylvan-monitor".to_owned(), || get().monitor())?;
    Ok(Prepared { settings, loops, gate })
}

impl Prepared {
    /// Puts it to use. `last` is called when there is a scheduler, and no worker yet.
    pub(crate) fn begin(self, last: impl FnOnce()) {
        let Settings { n_cores, n_threads_max, tls_mode, warn_blocking } = self.settings;
        timer::begin(n_cores);
        reactor::begin(self.loops);
        SCHEDULER.begin(Scheduler {
            cores: (0..n_cores).map(|index| Core::new(index, n_cores)).collect(),
            inject: Inject::new(),
            woken: Inject::new(),
            idle: Idle::new(n_cores),
            spares: Spares::new(n_cores, n_threads_max.max(n_cores + 1)),
            pace: Pace::new(),
            habits: Habits::new(),
            leases: Leases::new(),
            seats: Seats::new(n_cores),
            watch: warn_blocking.map(Watch::new),
            tls_mode,
            warned_of_memory: AtomicBool::new(false),
        });
        trace::note_start(n_cores);
        if warn_blocking.is_some() {
            trace::set_watched();
        }
        last();
        self.gate.open();
    }
}

/// Where OS threads wait until all is there that they need. Dropped, it sends them away.
struct Gate {
    word: Arc<AtomicU32>,
    threads: Vec<OsThread>,
}

const UNDECIDED: u32 = 0;
const OPEN: u32 = 1;
const SHUT: u32 = 2;

impl Gate {
    fn new() -> Self {
        Self { word: Arc::new(AtomicU32::new(UNDECIDED)), threads: Vec::new() }
    }

    /// Starts an OS thread that runs `main`, if the gate opens.
    fn start(&mut self, name: String, main: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let word = Arc::clone(&self.word);
        let wait = move || {
            // Acquire pairs with the release in `decide`.
            while word.load(Ordering::Acquire) == UNDECIDED {
                futex::wait(&word, UNDECIDED, None);
            }
            let opened = word.load(Ordering::Relaxed) == OPEN;
            drop(word);
            if opened {
                main();
            }
        };
        self.threads.push(start_os_thread(name, wait)?);
        Ok(())
    }

    fn open(mut self) {
        self.threads.clear();
        self.decide(OPEN);
    }

    fn decide(&self, how: u32) {
        // Release pairs with the acquire in `start`.
        self.word.store(how, Ordering::Release);
        futex::wake(&raw const *self.word, u32::MAX);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        if self.word.load(Ordering::Relaxed) != UNDECIDED {
            return;
        }
        self.decide(SHUT);
        // Until they have ended: std ends the process if it has no memory left for a thread that is about
        // to begin, and the next start may be made where there is less.
        for thread in self.threads.drain(..) {
            thread.join();
        }
    }
}
