//! Starting the runtime: once, at first use, as the environment or the program says. In a child of a fork
//! (`fork`) once more.

use std::io;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::attributes;
use crate::context::floating;
use crate::context::tls::{self, TlsMode};
use crate::current;
use crate::env;
use crate::fork;
use crate::lock::Lock;
use crate::look;
use crate::panic;
use crate::primitive::{AtomicU8, Ordering};
use crate::report;
use crate::scheduler::{self, Scheduler, Settings};
use crate::stack;
use crate::sys::{barrier, processors};
use crate::trace;

/// OS threads at most, unless it is said otherwise.
const N_THREADS_MAX: usize = 512;

/// How the runtime is to be set up.
///
/// Nobody needs it: the runtime starts by itself, when the first green thread is spawned. What is
/// not set here comes from the environment, and else from the machine. A child of a `fork` starts anew:
/// as the environment says then, but for what the program has set before. Where the environment says what cannot be
/// used, the spawn fails, and a line on standard error says why, once.
///
/// | method | environment | default |
/// |---|---|---|
/// | [`workers`](Self::workers) | `SYLVAN_WORKERS` | the processors of the affinity, and no more than the quotas of control groups pay for, rounded up |
/// | [`max_threads`](Self::max_threads) | `SYLVAN_MAX_THREADS` | 512 |
/// | [`tls`](Self::tls) | `SYLVAN_TLS` (`own` or `shared`) | own where it can be had |
/// | [`warn_blocking`](Self::warn_blocking) | `SYLVAN_WARN_BLOCKING` (`100ms`, `2s`) | no warnings |
///
/// ```
/// sylvan::Config::new().workers(2).start()?;
/// assert_eq!(sylvan::workers()?, 2);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Config {
    workers: Option<usize>,
    max_threads: Option<usize>,
    tls: Option<TlsMode>,
    warn_blocking: Option<Duration>,
}

impl Config {
    /// Nothing set.
    pub const fn new() -> Self {
        Self { workers: None, max_threads: None, tls: None, warn_blocking: None }
    }

    /// How many OS threads run green threads at a time.
    pub fn workers(mut self, n: usize) -> Self {
        self.workers = Some(n);
        self
    }

    /// How many OS threads there may be in all, those included that make blocking calls or have
    /// been taken over from; but for those that have blocked for 20 ms, which do not count.
    pub fn max_threads(mut self, n: usize) -> Self {
        self.max_threads = Some(n);
        self
    }

    /// Whose thread-locals green threads see.
    pub fn tls(mut self, mode: TlsMode) -> Self {
        self.tls = Some(mode);
        self
    }

    /// Warns on standard error of each green thread that holds its worker for longer than `limit`,
    /// other than by [`blocking`](crate::blocking()): it computes, or makes a call that blocks its OS
    /// thread.
    ///
    /// A line names the thread and what it does once it is seen, up to 10 ms later than that, and
    /// another line says in the end how long it took. Off, this costs nothing; on, about as much as
    /// two looks at a clock at each switch.
    pub fn warn_blocking(mut self, limit: Duration) -> Self {
        self.warn_blocking = Some(limit);
        self
    }

    /// Starts the runtime.
    ///
    /// # Errors
    ///
    /// `AlreadyExists` if it has started before; `InvalidInput` if a number or a limit is zero, or if a
    /// variable of the environment that is asked has no usable value (the message names both; one that is empty is
    /// as if it were not there);
    /// `Unsupported` if [`TlsMode::Own`] cannot be had; what the kernel says if it refuses an event
    /// loop or a thread. Nothing is left of a start that has failed: the next one tries again.
    pub fn start(self) -> io::Result<()> {
        let mut last = STARTING.lock();
        if STATE.load(Ordering::Acquire) & STARTED != 0 {
            let why = "the runtime has started already, with its first green thread or by `Config::start`";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
        }
        let config = self.or(&last);
        config.start_once()?;
        *last = config;
        // Release pairs with the acquire in `scheduler`.
        STATE.fetch_or(STARTED, Ordering::Release);
        Ok(())
    }

    /// What is not set here as in `other`.
    fn or(self, other: &Self) -> Self {
        Self {
            workers: self.workers.or(other.workers),
            max_threads: self.max_threads.or(other.max_threads),
            tls: self.tls.or(other.tls),
            warn_blocking: self.warn_blocking.or(other.warn_blocking),
        }
    }

    /// Under the lock of `STARTING`.
    fn start_once(&self) -> io::Result<()> {
        let workers = match positive("workers", self.workers)? {
            Some(n) => n,
            None => match env::positive("SYLVAN_WORKERS")? {
                Some(n) => n,
                None => processors::usable()?,
            },
        };
        let max_threads = match positive("max_threads", self.max_threads)? {
            Some(n) => n,
            None => env::positive("SYLVAN_MAX_THREADS")?.unwrap_or(N_THREADS_MAX),
        };
        let wanted = match self.tls {
            Some(mode) => Some(mode),
            None => tls_from_env()?,
        };
        // Before the first OS thread, which another runtime would take for the program's.
        #[cfg(target_os = "linux")]
        crate::others::push_aside();
        if wanted != Some(TlsMode::Shared) {
            // Before `choose`, which starts a thread: it costs least while there is one.
            barrier::init();
        }
        let mode = tls::choose(wanted)?;
        let warn_blocking = match self.warn_blocking {
            Some(Duration::ZERO) => {
                return Err(env::invalid("`warn_blocking` expected a time above `0ms`".into()));
            }
            Some(limit) => Some(limit),
            None => env::duration("SYLVAN_WARN_BLOCKING")?,
        };
        let dump = look::Settings::from_env()?;
        let deadlock = look::Reaction::from_env()?;
        let trace = trace::Settings::from_env(workers)?;
        fork::watch(in_child)?;
        attributes::note_start();
        floating::init();
        let prepared = scheduler::prepare(Settings {
            n_cores: workers,
            n_threads_max: max_threads,
            tls_mode: mode,
            warn_blocking,
        })?;
        // From here on nothing can fail.
        tls::adopt(mode);
        crate::sight::begin();
        panic::install_panic_hook();
        stack::install_handler(crate::thread::interrupted);
        prepared.begin(|| {
            if let Some(reaction) = deadlock {
                reaction.attend();
            }
            if let Some(settings) = dump {
                settings.attend();
            }
            if let Some(settings) = trace {
                trace::begin(settings);
            }
        });
        Ok(())
    }
}

/// One start at a time; what the program has set for the last one, which a child of a fork goes by.
static STARTING: Lock<Config> = Lock::new(Config::new());

/// What each spawn looks at: some of the bits below.
static STATE: AtomicU8 = AtomicU8::new(0);
/// The runtime has started.
const STARTED: u8 = 1;
/// Somebody has changed the attributes of an OS thread.
const CHANGED: u8 = 2;

/// In a child of a fork: nothing has started, and the attributes are those of the one thread.
unsafe extern "C" fn in_child() {
    // SAFETY: libc calls this where there is one thread, the one that has called `fork`.
    unsafe {
        fork::begin_anew();
        if !STARTING.is_free() {
            STARTING.renew(Config::new());
        }
    }
    STATE.store(0, Ordering::Relaxed);
}

/// Says once why the runtime does not start, where that is the environment's fault: who has spawned a thread may keep
/// the error to itself, and try again. What the kernel refuses, it may grant next time.
#[cold]
fn tell(error: &io::Error) {
    static IS_TOLD: AtomicBool = AtomicBool::new(false);
    // Orders nothing.
    if error.raw_os_error().is_none() && !IS_TOLD.swap(true, Ordering::Relaxed) {
        report::say(format_args!("sylvan: {error}\n"));
    }
}

/// The scheduler; starts it if need be.
#[inline]
pub(crate) fn scheduler() -> io::Result<&'static Scheduler> {
    // Acquire pairs with the release in `Config::start`.
    if STATE.load(Ordering::Acquire) & STARTED == 0 {
        match Config::new().start() {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                tell(&error);
                return Err(error);
            }
            _ => {}
        }
    }
    Ok(scheduler::get())
}

/// Whether a thread that the caller spawns is to be a green one: else the caller has attributes that the runtime's
/// OS threads have not (`attributes`). Starts the runtime if need be.
///
/// # Errors
///
/// Those of a start.
#[inline]
pub fn spawns_green() -> io::Result<bool> {
    // Acquire as in `scheduler`.
    if STATE.load(Ordering::Acquire) == STARTED { Ok(true) } else { spawner_is_alike() }
}

#[cold]
fn spawner_is_alike() -> io::Result<bool> {
    let scheduler = scheduler()?;
    let is_on_own = || scheduler.tls_mode() == TlsMode::Own && current::green().is_some();
    // Orders nothing, here and below: see `attributes`.
    let changed = STATE.load(Ordering::Relaxed) & CHANGED != 0;
    Ok(!changed || is_on_own() || !attributes::differ())
}

/// Somebody has changed the attributes of an OS thread.
pub(crate) fn attributes_have_changed() {
    STATE.fetch_or(CHANGED, Ordering::Relaxed);
}

/// Whether the runtime has started.
#[inline]
pub fn has_started() -> bool {
    // Acquire pairs with the release in `Config::start`.
    STATE.load(Ordering::Acquire) & STARTED != 0
}

/// How many workers there are: OS threads that run green threads at a time. Starts the runtime.
///
/// # Errors
///
/// As [`Config::start`], but for having started already.
pub fn workers() -> io::Result<usize> {
    Ok(scheduler()?.n_cores())
}

/// Whose thread-locals green threads see. Starts the runtime.
///
/// # Errors
///
/// As [`Config::start`], but for having started already.
pub fn tls_mode() -> io::Result<TlsMode> {
    Ok(scheduler()?.tls_mode())
}

fn positive(what: &str, n: Option<usize>) -> io::Result<Option<usize>> {
    if n == Some(0) {
        Err(env::invalid(format!("`{what}` expected a positive integer, got `0`")))
    } else {
        Ok(n)
    }
}

fn tls_from_env() -> io::Result<Option<TlsMode>> {
    env::parsed("SYLVAN_TLS", "`own` or `shared`", |value| match value {
        "own" => Some(TlsMode::Own),
        "shared" => Some(TlsMode::Shared),
        _ => None,
    })
}
