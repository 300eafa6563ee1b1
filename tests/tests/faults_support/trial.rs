//! A scene with a fault: what it is told, and what has to hold after it.
//!
//! The child writes a line for each fault before it begins, and one when it knows what came of it. A process
//! that is stuck ends itself, with what its threads were doing.

use std::fs;
use std::io::ErrorKind;
use std::panic;
use std::process;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use std_shim::thread::Builder;

use super::scenes::{Scene, Told};
use super::{Call, Fault, called, calls};
use tests::counts::{address_space, descriptors, os_threads_of};
use tests::faults;
use tests::process::Ended;

/// How long a scene may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// A fault of a scene.
#[derive(Clone, Copy)]
pub(crate) struct Order {
    pub(crate) call: &'static Call,
    pub(crate) fault: Fault,
    /// How many of its kind are made first.
    pub(crate) nth: u32,
    /// In what the process does first.
    pub(crate) is_cold: bool,
}

impl Order {
    pub(crate) fn to_text(self) -> String {
        let when = if self.is_cold { "cold" } else { "warm" };
        format!("{}/{}/{}/{when}", self.call.name, self.fault.name(), self.nth)
    }

    pub(crate) fn from_text(text: &str) -> Self {
        let words: Vec<_> = text.split('/').collect();
        let [call, fault, nth, when] = words[..] else { panic!("no order: {text}") };
        let fault = Fault::ALL.into_iter().find(|one| one.name() == fault).expect("a fault");
        let nth = nth.parse().expect("a number");
        Self { call: called(call), fault, nth, is_cold: when == "cold" }
    }
}

impl Order {
    /// Whether no thread is to be told: a signal is for an OS thread, and none of those that wait is one.
    fn is_for_nobody(&self) -> bool {
        let waits =
            ["accept", "connect", "recvfrom", "recvmsg", "sendto", "sendmsg", "write", "writev"];
        self.fault.name() == "EINTR" && waits.contains(&self.call.name)
    }
}

/// What came of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The call was not made, or not so that it could fail in this way.
    NotMet,
    /// The scene was what it is without a fault.
    Withstood,
    /// The scene was told of it.
    Told,
    /// What must not be.
    Wrong,
}

const OUTCOMES: [(Outcome, &str); 4] = [
    (Outcome::NotMet, "not met"),
    (Outcome::Withstood, "withstood"),
    (Outcome::Told, "told"),
    (Outcome::Wrong, "wrong"),
];

pub(crate) struct Trial {
    pub(crate) scene: &'static str,
    pub(crate) order: Option<Order>,
    pub(crate) outcome: Outcome,
    pub(crate) details: String,
}

impl Trial {
    /// It has come out since.
    pub(crate) fn is_wrong(&mut self, details: String) {
        if self.outcome != Outcome::Wrong {
            (self.outcome, self.details) = (Outcome::Wrong, details);
        }
    }

    pub(crate) fn what_is_wrong(&self) -> Option<String> {
        let order = self.order.map_or("no fault".to_owned(), Order::to_text);
        (self.outcome == Outcome::Wrong)
            .then(|| format!("{}: {order}: {}", self.scene, self.details))
    }
}

/// What a child has said.
pub(crate) struct Heard {
    pub(crate) trials: Vec<Trial>,
    /// The calls that are made in what it does first, and then.
    pub(crate) cold: Vec<&'static Call>,
    pub(crate) warm: Vec<&'static Call>,
    /// How many descriptors the process had at its end.
    pub(crate) n_descriptors: Option<usize>,
}

// The child.

/// When the process counts as stuck, in milliseconds since its begin; 0: never.
static DEADLINE: AtomicU64 = AtomicU64::new(0);

/// What the last panic said.
static PANIC: Mutex<Option<String>> = Mutex::new(None);

/// Plays a scene with each of these faults, or without any.
pub(crate) fn play(scene: &'static Scene, orders: &[Order]) {
    let begin = Instant::now();
    let now = move || begin.elapsed().as_millis() as u64;
    // Before the filter: nobody is asked about its calls.
    thread::spawn(move || {
        loop {
            thread::sleep(Duration::from_millis(50));
            if (1..now()).contains(&DEADLINE.load(Relaxed)) {
                println!("\nresult: wrong: stuck: {}", doing());
                process::exit(0);
            }
        }
    });
    panic::set_hook(Box::new(|panic| {
        eprintln!("{panic}");
        *PANIC.lock().expect("no panic") = Some(panic.to_string());
    }));
    faults::begin().expect("a filter of system calls (seccomp, Linux 5.19)");
    let once = || {
        DEADLINE.store(now() + PATIENCE.as_millis() as u64, Relaxed);
        let played = panic::catch_unwind(|| play_once(scene));
        DEADLINE.store(0, Relaxed);
        played.map_err(|_| PANIC.lock().expect("no panic").take().unwrap_or_default())
    };
    let before = faults::made();
    if let [order @ Order { is_cold: true, .. }] = orders {
        try_one(order, &once, None);
        return println!("\ndescriptors: {}", kept().len());
    }
    let plain = || match once() {
        Err(panic) => panic!("{panic}"),
        Ok(Err(told)) => panic!("{}", text(&told)),
        Ok(Ok(())) => {}
    };
    plain();
    println!("\ncold: {}", made_since(&before));
    let before = faults::made();
    (0..2).for_each(|_| plain());
    println!("\nwarm: {}", made_since(&before));
    let state = (kept(), address_space());
    println!("\ndescriptors: {}", state.0.len());
    for order in orders {
        try_one(order, &once, Some(&state));
    }
}

fn play_once(scene: &'static Scene) -> Result<(), Told> {
    if scene.is_outside {
        return (scene.play)();
    }
    match Builder::new().spawn(scene.play) {
        Ok(thread) => thread.join().unwrap_or_else(|panic| panic::resume_unwind(panic)),
        Err(error) => Err(vec![error]),
    }
}

type Played = Result<Result<(), Told>, String>;

/// Plays a scene with a fault, and then without.
fn try_one(order: &Order, once: &impl Fn() -> Played, state: Option<&(Vec<i32>, u64)>) {
    println!("\ntrying: {}", order.to_text());
    faults::arm(order.call.number, order.fault, order.nth);
    let played = once();
    let is_met = faults::disarm();
    let (outcome, details) = match played {
        Err(panic) if is_met && panics_as_std(&panic, order) => (Outcome::Told, panic),
        Err(panic) => (Outcome::Wrong, panic),
        Ok(Ok(())) if is_met => (Outcome::Withstood, String::new()),
        Ok(Ok(())) => (Outcome::NotMet, String::new()),
        Ok(Err(told)) if is_met && order.is_for_nobody() => (Outcome::Wrong, text(&told)),
        Ok(Err(told)) if is_met && says(&told, order) => (Outcome::Told, text(&told)),
        Ok(Err(told)) => (Outcome::Wrong, format!("told of something else: {}", text(&told))),
    };
    if outcome == Outcome::Wrong {
        return say(outcome, &details);
    }
    match once() {
        Err(panic) => return say(Outcome::Wrong, &format!("then, without a fault: {panic}")),
        Ok(Err(told)) => {
            return say(Outcome::Wrong, &format!("then, without a fault: {}", text(&told)));
        }
        Ok(Ok(())) => {}
    }
    if let Some((before, space)) = state {
        let begin = Instant::now();
        let now = loop {
            let now = kept();
            if now == *before || begin.elapsed() > Duration::from_secs(2) {
                break now;
            }
            thread::sleep(Duration::from_millis(2));
        };
        let space_now = address_space();
        if now != *before {
            let new = now.iter().filter(|number| !before.contains(number));
            let what = new.map(|number| fs::read_link(format!("/proc/self/fd/{number}")));
            let what: Vec<_> = what.collect();
            return say(
                Outcome::Wrong,
                &format!("descriptors: {before:?}, then {now:?}: {what:?}"),
            );
        }
        if space_now > space + SLACK {
            return say(Outcome::Wrong, &format!("mapped: {space} bytes, then {space_now}"));
        }
    }
    say(outcome, &details);
}

/// The open descriptors, without what the monitor looks at now and then: files of the kernel's.
fn kept() -> Vec<i32> {
    let mut numbers = descriptors();
    numbers.retain(|number| {
        let file = fs::read_link(format!("/proc/self/fd/{number}"));
        file.is_ok_and(|file| !file.starts_with("/proc"))
    });
    numbers
}

/// What OS threads that come and go may have mapped, and the allocator.
const SLACK: u64 = 96 << 20;

/// Whether it is this fault that a scene was told of, in whatever words. What else it was told of may
/// follow from that.
fn says(told: &Told, order: &Order) -> bool {
    let Fault::Error(number) = order.fault else { return false };
    told.iter().any(|error| {
        error.raw_os_error() == Some(number)
            // A thread that cannot be had, as `pthread_create` says it, whatever is missing.
            || [libc::ENOMEM, libc::EAGAIN, libc::EMFILE].contains(&number)
                && error.kind() == ErrorKind::WouldBlock
            // A resolver has words of its own.
            || error.to_string().starts_with("failed to lookup address information")
    })
}

/// Whether std panics, too: of a child's output that cannot be read.
fn panics_as_std(panic: &str, order: &Order) -> bool {
    let Fault::Error(number) = order.fault else { return false };
    panic.contains("process/child.rs") && panic.contains(&format!("code: {number}"))
}

fn say(outcome: Outcome, details: &str) {
    let (_, name) = OUTCOMES.iter().find(|(one, _)| *one == outcome).expect("all are there");
    println!("\nresult: {name}: {}", details.replace('\n', " | "));
}

fn text(told: &Told) -> String {
    let errors = told.iter().map(|error| format!("{error} ({:?})", error.kind()));
    errors.collect::<Vec<_>>().join("; ")
}

/// The calls that were made since `before`; what is in no table by its number.
fn made_since(before: &[u32]) -> String {
    let since = faults::made().into_iter().zip(before).map(|(now, before)| now - before);
    let made = since.zip(0..).filter(|(n, _)| *n > 0);
    let names = made.map(|(_, number)| {
        let call = calls().iter().find(|call| call.number == number);
        call.map_or_else(|| number.to_string(), |call| call.name.to_owned())
    });
    names.collect::<Vec<_>>().join(" ")
}

fn doing() -> String {
    let threads = os_threads_of(process::id()).unwrap_or_default();
    let line = |thread: &tests::counts::OsThread| {
        format!("{} in {}", thread.name, thread.read("syscall").trim())
    };
    let threads = threads.iter().map(line);
    let files = kept().into_iter().map(|number| {
        let mut now = libc::pollfd { fd: number, events: libc::POLLIN | libc::POLLOUT, revents: 0 };
        // SAFETY: asks about one descriptor, without a wait.
        unsafe { libc::poll(&raw mut now, 1, 0) };
        let about = fs::read_to_string(format!("/proc/self/fdinfo/{number}")).unwrap_or_default();
        let watches = about.lines().filter(|line| line.starts_with("tfd")).collect::<String>();
        format!("descriptor {number}: ready {:#x}, {watches}", now.revents)
    });
    threads.chain(files).collect::<Vec<_>>().join("; ")
}

// The parent.

/// What a child has said of its faults.
pub(crate) fn heard(scene: &'static Scene, orders: &[Order], ended: &Ended) -> Heard {
    let calls_after = |mark: &str| {
        let said = ended.stdout.split_once(mark).and_then(|(_, rest)| rest.lines().next());
        said.map(str::split_whitespace).into_iter().flatten().collect::<Vec<_>>()
    };
    let known = |names: Vec<&str>| {
        let known = names.iter().filter_map(|name| calls().iter().find(|one| one.name == *name));
        known.collect::<Vec<_>>()
    };
    let [cold, warm, number] = ["\ncold: ", "\nwarm: ", "\ndescriptors: "].map(calls_after);
    let wrong =
        |order, details| Trial { scene: scene.name, order, outcome: Outcome::Wrong, details };
    let ended_so = || format!("the process ended with {}: {}", ended.status, ended.stderr.trim());
    let mut trials = Vec::new();
    let tried = ended.stdout.split("\ntrying: ").skip(1);
    for (order, said) in orders.iter().zip(tried) {
        let said = said.split_once("\nresult: ").and_then(|(_, rest)| rest.lines().next());
        let (name, details) = said.and_then(|said| said.split_once(": ")).unwrap_or_default();
        let outcome = OUTCOMES.iter().find(|(_, one)| *one == name);
        trials.push(match outcome {
            Some((outcome, _)) => Trial {
                scene: scene.name,
                order: Some(*order),
                outcome: *outcome,
                details: details.to_owned(),
            },
            None => wrong(Some(*order), ended_so()),
        });
    }
    let strange: Vec<_> =
        cold.iter().chain(&warm).filter(|name| name.parse::<u32>().is_ok()).collect();
    if !strange.is_empty() {
        trials.push(wrong(None, format!("calls that are in no table: {strange:?}")));
    } else if orders.is_empty() && (!ended.status.success() || number.is_empty()) {
        trials.push(wrong(None, ended_so()));
    }
    let n_descriptors = number.first().and_then(|n| n.parse().ok());
    Heard { trials, cold: known(cold), warm: known(warm), n_descriptors }
}
