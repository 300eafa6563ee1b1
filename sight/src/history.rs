//! What each thread of a run did from when to when: the events of all workers, put together.
//!
//! ```text
//!             Spawn            Start, Run            Park
//!    (none) --------> runnable ----------> running --------> waiting --+
//!                        ^                  |  | Section         | Wake
//!                        +------ Yield -----+  v                 |
//!                        |                  blocking             |
//!                        +---------------------------------------+
//! ```
//!
//! A thread may be woken before it waits, while its run comes to its end: then it does not wait at all. And
//! of a thread that was there before the first event it is not known what it did up to then.

use std::collections::HashMap;

use crate::file::{Moment, Ring, Run};
use crate::trace::{By, Kind};

/// What a thread does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// It could run, and waits for a worker.
    Runnable,
    /// A worker runs it.
    Running,
    /// It is in a blocking section, on the OS thread that it ran on.
    Blocking,
    /// It waits, for the reason of this number ([`Run::reason`]).
    Waiting(u8),
}

/// Where a thread runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The OS thread.
    pub os_thread: u32,
    /// The core that it has or had when the run began.
    pub core: u32,
}

/// Who has made a thread runnable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Waker {
    /// This green thread: it has woken it, or spawned it.
    Thread(u32),
    /// An OS thread.
    OsThread,
    /// The event loop, or a deadline.
    Event,
    /// It has let others run.
    Itself,
}

/// A part of a thread's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// From when, in nanoseconds since the trace began.
    pub begin_ns: u64,
    /// Until when.
    pub end_ns: u64,
    /// What it did.
    pub state: State,
    /// Where, if it was running or blocking.
    pub place: Option<Place>,
    /// Who has woken it, if it was runnable.
    pub waker: Option<Waker>,
}

impl Span {
    /// How long it took.
    #[must_use]
    pub fn lasted_ns(&self) -> u64 {
        self.end_ns.saturating_sub(self.begin_ns)
    }
}

/// A green thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thread {
    /// Its number.
    pub id: u32,
    /// Its name.
    pub name: Option<String>,
    /// When it was spawned, if that was recorded.
    pub spawned_ns: Option<u64>,
    /// When it ended, if it did.
    pub ended_ns: Option<u64>,
    /// What it did, in the order of time: each begins where the one before it ends.
    pub spans: Vec<Span>,
}

/// What an OS thread does that is no run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Activity {
    /// It has this core, and schedules if nothing else is said.
    Core,
    /// It sleeps until something comes.
    Sleep,
}

/// An OS thread that was a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OsThread {
    /// Its number.
    pub id: u32,
    /// When it had which core, or slept: from when, until when, what, the core. Sleep lies within a core's.
    pub spans: Vec<(u64, u64, Activity, u32)>,
    /// The looks at the event loop: when, and how many events there were.
    pub looks: Vec<(u64, u32)>,
}

/// The whole of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// The first moment that is known in full, in nanoseconds since the trace began.
    pub begin_ns: u64,
    /// The last moment.
    pub end_ns: u64,
    /// The green threads, by number.
    pub threads: Vec<Thread>,
    /// The OS threads, by number.
    pub os_threads: Vec<OsThread>,
}

/// A thread while the events are put together.
struct Now {
    thread: Thread,
    /// The span that has not ended.
    open: Option<Span>,
    /// It was woken while it ran.
    woken: Option<Waker>,
}

impl Now {
    fn new(run: &Run, id: u32) -> Self {
        let name = run.name(id).map(String::from);
        let thread = Thread { id, name, spawned_ns: None, ended_ns: None, spans: Vec::new() };
        Self { thread, open: None, woken: None }
    }

    fn close(&mut self, at_ns: u64, from_ns: u64) {
        let Some(mut span) = self.open.take() else { return };
        span.begin_ns = span.begin_ns.max(from_ns);
        span.end_ns = at_ns.max(span.begin_ns);
        if at_ns >= from_ns {
            self.thread.spans.push(span);
        }
    }

    fn turn(&mut self, at_ns: u64, from_ns: u64, state: State) -> &mut Span {
        self.close(at_ns, from_ns);
        let (begin_ns, end_ns) = (at_ns, at_ns);
        self.open.insert(Span { begin_ns, end_ns, state, place: None, waker: None })
    }

    fn is(&self, state: impl Fn(State) -> bool) -> bool {
        self.open.is_some_and(|span| state(span.state))
    }

    fn take(&mut self, moment: &Moment, place: Option<Place>, from_ns: u64) {
        let at_ns = moment.at_ns;
        let runs = |state| matches!(state, State::Running | State::Blocking);
        let waker = || match moment.detail {
            by if by == By::Thread as u8 => Waker::Thread(moment.other),
            by if by == By::Event as u8 => Waker::Event,
            _ => Waker::OsThread,
        };
        match moment.kind {
            Kind::Spawn => {
                self.thread.spawned_ns = Some(at_ns);
                // On another worker it may have run before this one has said so.
                if self.open.is_none() && self.thread.spans.is_empty() {
                    let spawner = if moment.other == 0 {
                        Waker::OsThread
                    } else {
                        Waker::Thread(moment.other)
                    };
                    self.turn(at_ns, from_ns, State::Runnable).waker = Some(spawner);
                }
            }
            Kind::Start | Kind::Run => {
                self.woken = None;
                self.turn(at_ns, from_ns, State::Running).place = place;
            }
            Kind::Section => self.turn(at_ns, from_ns, State::Blocking).place = place,
            Kind::SectionEnd => self.turn(at_ns, from_ns, State::Running).place = place,
            Kind::Park => match self.woken.take() {
                Some(waker) => self.turn(at_ns, from_ns, State::Runnable).waker = Some(waker),
                None => {
                    self.turn(at_ns, from_ns, State::Waiting(moment.detail));
                }
            },
            Kind::Yield => {
                self.turn(at_ns, from_ns, State::Runnable).waker = Some(Waker::Itself);
            }
            Kind::Wake if self.is(runs) => self.woken = Some(waker()),
            // Who is runnable stays so.
            Kind::Wake if self.is(|state| state == State::Runnable) => {}
            Kind::Wake => self.turn(at_ns, from_ns, State::Runnable).waker = Some(waker()),
            Kind::End => {
                self.close(at_ns, from_ns);
                self.thread.ended_ns = Some(at_ns);
            }
            _ => {}
        }
    }
}

impl History {
    /// Puts the events of a run together.
    #[must_use]
    pub fn of(run: &Run) -> Self {
        let from_ns = run.whole_from_ns();
        let last = run.rings.iter().filter_map(|ring| Some(ring.moments.last()?.at_ns)).max();
        let ended_ns = run.about.as_ref().map_or(0, |about| about.ended_ns);
        let end_ns = last.unwrap_or(0).max(ended_ns).max(from_ns);
        let mut os_threads: HashMap<u32, OsThread> = HashMap::new();
        let mut all: Vec<(&Moment, Option<Place>)> = Vec::new();
        for ring in &run.rings {
            along(ring, from_ns, end_ns, &mut os_threads, |moment, place| {
                all.push((moment, place))
            });
        }
        // Stable: within a ring the order stays.
        all.sort_by_key(|(moment, _)| moment.at_ns);
        let mut threads: HashMap<u32, Now> = HashMap::new();
        for (moment, place) in all {
            if moment.thread != 0 {
                let thread = threads.entry(moment.thread);
                thread.or_insert_with(|| Now::new(run, moment.thread)).take(moment, place, from_ns);
            }
        }
        let finish = |mut now: Now| {
            now.close(end_ns, from_ns);
            now.thread
        };
        let mut threads: Vec<Thread> = threads.into_values().map(finish).collect();
        threads.retain(|thread| !thread.spans.is_empty());
        threads.sort_by_key(|thread| thread.id);
        let mut os_threads: Vec<OsThread> = os_threads.into_values().collect();
        for os_thread in &mut os_threads {
            os_thread.spans.sort_by_key(|&(begin_ns, end_ns, ..)| (begin_ns, u64::MAX - end_ns));
            os_thread.looks.sort_unstable();
        }
        os_threads.sort_by_key(|os_thread| os_thread.id);
        Self { begin_ns: from_ns, end_ns, threads, os_threads }
    }

    /// The thread of that number.
    #[must_use]
    pub fn thread(&self, id: u32) -> Option<&Thread> {
        let at = self.threads.binary_search_by_key(&id, |thread| thread.id).ok()?;
        Some(&self.threads[at])
    }
}

/// Goes along a ring: calls `each` for what happens to green threads, with where it was, and enters the
/// rest at the OS threads.
fn along<'a>(
    ring: &'a Ring,
    from_ns: u64,
    end_ns: u64,
    os_threads: &mut HashMap<u32, OsThread>,
    mut each: impl FnMut(&'a Moment, Option<Place>),
) {
    let mut enter = |os_thread: u32, begin_ns: u64, until_ns: u64, what, core| {
        if until_ns >= from_ns {
            let new = || OsThread { id: os_thread, spans: Vec::new(), looks: Vec::new() };
            let os_thread = os_threads.entry(os_thread).or_insert_with(new);
            os_thread.spans.push((begin_ns.max(from_ns), until_ns, what, core));
        }
    };
    let turn = |moment: &&Moment| matches!(moment.kind, Kind::Take | Kind::Leave);
    // Whoever it is that has not taken it in here, has it from the first event on.
    let mut place = match ring.moments.iter().find(turn) {
        Some(first) if first.kind == Kind::Take => None,
        Some(first) => Some(Place { os_thread: first.thread, core: first.other }),
        None if ring.os_thread == 0 => None,
        None => Some(Place { os_thread: ring.os_thread, core: ring.core }),
    };
    let first_ns = ring.moments.first().map_or(0, |moment| moment.at_ns);
    let mut core_since = place.map(|_| first_ns);
    let mut sleep_since = None;
    let mut looks: Vec<(u32, u64, u32)> = Vec::new();
    for moment in &ring.moments {
        let at_ns = moment.at_ns;
        match moment.kind {
            Kind::Take => {
                place = Some(Place { os_thread: moment.thread, core: moment.other });
                core_since = Some(at_ns);
            }
            Kind::HandOver | Kind::Leave => {
                if let (Some(place), Some(since_ns)) = (place, core_since.take()) {
                    enter(place.os_thread, since_ns, at_ns, Activity::Core, place.core);
                }
            }
            Kind::Sleep => sleep_since = Some(at_ns),
            Kind::Awake => {
                if let (Some(place), Some(since_ns)) = (place, sleep_since.take()) {
                    enter(place.os_thread, since_ns, at_ns, Activity::Sleep, place.core);
                }
            }
            Kind::Look if at_ns >= from_ns => {
                looks.extend(place.map(|place| (place.os_thread, at_ns, moment.other)));
            }
            Kind::Look | Kind::Steal | Kind::Name => {}
            _ => each(moment, place),
        }
        if moment.kind == Kind::Leave {
            place = None;
        }
    }
    if let Some(place) = place {
        for (since, what) in [(core_since, Activity::Core), (sleep_since, Activity::Sleep)] {
            if let Some(since_ns) = since {
                enter(place.os_thread, since_ns, end_ns, what, place.core);
            }
        }
    }
    for (os_thread, at_ns, n_events) in looks {
        let new = || OsThread { id: os_thread, spans: Vec::new(), looks: Vec::new() };
        os_threads.entry(os_thread).or_insert_with(new).looks.push((at_ns, n_events));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::{self, About, Why, Writer};
    use crate::synthetic::{self, Size};
    use crate::trace::Event;

    fn of(rings: &[(u32, u64, &[Event])]) -> History {
        let program = String::new();
        let why = Why::Exit;
        let about = About { pid: 1, n_cores: 1, why, began_unix_ns: 0, ended_ns: 1_000, program };
        let mut writer = Writer::new(Vec::new(), &about).unwrap();
        for &(os_thread, n_lost, events) in rings {
            writer.ring(os_thread, 0, n_lost, events.iter().copied()).unwrap();
        }
        History::of(&file::read(&writer.end().unwrap()).unwrap())
    }

    fn states(thread: &Thread) -> Vec<(u64, u64, State)> {
        thread.spans.iter().map(|span| (span.begin_ns, span.end_ns, span.state)).collect()
    }

    #[test]
    fn a_life_is_told_from_the_spawn_to_the_end() {
        let event = Event::new;
        let by = By::Thread as u8;
        let history = of(&[(
            9,
            0,
            &[
                event(5, Kind::Take, 0, 9, 3),
                event(10, Kind::Spawn, 0, 2, 0),
                event(20, Kind::Start, 0, 2, 0),
                event(30, Kind::Section, 0, 2, 0),
                event(40, Kind::SectionEnd, 0, 2, 0),
                event(50, Kind::Park, 4, 2, 0),
                event(60, Kind::Wake, by, 2, 8),
                event(70, Kind::Run, 0, 2, 0),
                event(80, Kind::End, 0, 2, 0),
                event(90, Kind::Sleep, 0, 0, 0),
            ],
        )]);
        let thread = history.thread(2).unwrap();
        assert_eq!((thread.spawned_ns, thread.ended_ns), (Some(10), Some(80)));
        let expected = [
            (10, 20, State::Runnable),
            (20, 30, State::Running),
            (30, 40, State::Blocking),
            (40, 50, State::Running),
            (50, 60, State::Waiting(4)),
            (60, 70, State::Runnable),
            (70, 80, State::Running),
        ];
        assert_eq!(states(thread), expected);
        assert_eq!(thread.spans[0].waker, Some(Waker::OsThread));
        assert_eq!(thread.spans[1].place, Some(Place { os_thread: 9, core: 3 }));
        assert_eq!(thread.spans[5].waker, Some(Waker::Thread(8)));
        let [worker] = &history.os_threads[..] else { panic!("one OS thread") };
        assert_eq!(worker.spans, [(5, 1_000, Activity::Core, 3), (90, 1_000, Activity::Sleep, 3)]);
    }

    #[test]
    fn who_is_woken_before_it_waits_does_not_wait() {
        let event = Event::new;
        let history = of(&[
            (9, 0, &[event(1, Kind::Run, 0, 2, 0), event(5, Kind::Park, 0, 2, 0)]),
            (8, 0, &[event(3, Kind::Wake, By::Event as u8, 2, 0), event(9, Kind::Run, 0, 2, 0)]),
        ]);
        let expected =
            [(1, 5, State::Running), (5, 9, State::Runnable), (9, 1_000, State::Running)];
        assert_eq!(states(history.thread(2).unwrap()), expected);
    }

    #[test]
    fn what_a_ring_has_lost_is_not_made_up() {
        let event = Event::new;
        let park = event(100, Kind::Park, 1, 2, 0);
        let run = [event(500, Kind::Run, 0, 2, 0)];
        // The second worker has run it before 400, in the part that is lost.
        let rest = [event(400, Kind::Park, 1, 2, 0), event(450, Kind::Wake, 0, 2, 0)];
        let rest: Vec<Event> = rest.into_iter().chain(run).collect();
        let history = of(&[(9, 0, &[park]), (8, 70, &rest)]);
        assert_eq!(history.begin_ns, 400);
        let spans = states(history.thread(2).unwrap());
        assert!(spans.iter().all(|&(begin_ns, ..)| begin_ns >= 400), "{spans:?}");
        assert_eq!(spans.last(), Some(&(500, 1_000, State::Running)));
    }

    #[test]
    fn every_span_begins_where_the_last_one_ends() {
        let size = Size { n_threads: 500, n_events: 50_000, n_workers: 4 };
        let run = file::read(&synthetic::file(size)).unwrap();
        let history = History::of(&run);
        assert_eq!(history.threads.len(), 500);
        assert_eq!(history.os_threads.len(), 4);
        for thread in &history.threads {
            for pair in thread.spans.windows(2) {
                assert_eq!(pair[0].end_ns, pair[1].begin_ns, "thread {}", thread.id);
                assert!(pair[0].begin_ns <= pair[0].end_ns);
            }
        }
        assert_eq!(history.thread(2).unwrap().name.as_deref(), Some("main"));
    }
}
