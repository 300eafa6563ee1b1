//! A throttle before blocking sections of one kind.
//!
//! Most calls of a kind are quick, and worth no OS thread each: a few at a time, one after the other, get
//! as much done. Others last, since they wait for somebody: a name server that is dead, a child's own
//! code before it executes. Those behind must not wait for them, were it only because one of them is whom
//! they wait for. So what lasts gives up its place:
//!
//! - A section that has begun is *fresh*, and *lasts* when its patience is over.
//! - One more may begin while fewer are fresh than there are places: one for each worker (two at least),
//!   and one for each section that lasts.
//!
//! So where all last their number doubles and more with each patience: of a thousand the last one begins
//! after eight of them. There is no upper limit, for whatever it was, it could be in the way; but each
//! takes an OS thread, and these have one (`scheduler::limit`).
//!
//! # Who notices that a section lasts
//!
//! Nobody but those who wait: one of them, the *watcher*, waits until the oldest fresh section begins to
//! last; the others until they are woken.
//!
//! - All that is known is under a lock, and `changes` counts what it does there to let others in. Whoever
//!   waits has read the count under the lock, so that it misses nothing.
//! - A section that ends wakes as many as there are places free.
//! - Who gets in wakes as many as there are places free, and one at least if nobody watches, such as when
//!   it was the watcher. That one gets in, too, and does the same, or is the next watcher. So while
//!   somebody waits there is a watcher, or one is on the way.
//!
//! Who comes just then may be faster than the one that was woken, which waits again behind the others.

use std::fmt;
use std::time::{Duration, Instant};

use crate::current;
use crate::life;
use crate::life_lock::LifeLock;
use crate::lock::Guard;
use crate::park::{WaitReason, wait, wake};
use crate::primitive::{AtomicU32, Ordering};
use crate::scheduler;
use crate::task::Header;

/// A few milliseconds: most calls are over by then.
const PATIENCE: Duration = Duration::from_millis(5);

/// A throttle before blocking sections of one kind: so that a thousand of them do not take a
/// thousand OS threads, no more are under way at a time than there are workers (two, where there is
/// one). The others wait, parked. Sections that last longer than a few milliseconds do not count.
///
/// ```
/// use std::net::ToSocketAddrs;
/// use sylvan::contract::Throttle;
///
/// static LOOK_UPS: Throttle = Throttle::new();
///
/// let look_up = || "localhost:80".to_socket_addrs().map(drop);
/// let found = sylvan::spawn(move || LOOK_UPS.blocking(look_up));
/// assert!(found.join().unwrap().is_ok());
/// ```
///
/// As for [`blocking()`](crate::blocking()), what goes through it has to be `Send`:
///
/// ```compile_fail,E0277
/// # use sylvan::contract::Throttle;
/// static LOOK_UPS: Throttle = Throttle::new();
///
/// let shared = std::rc::Rc::new(1);
/// LOOK_UPS.blocking(move || *shared);
/// ```
pub struct Throttle {
    inside: LifeLock<Inside>,
    /// A number, to wait at: it says that somebody may come in, or is to watch.
    changes: AtomicU32,
    patience: Duration,
    what: Option<WaitReason>,
}

struct Inside {
    /// When each fresh section began, the oldest first.
    fresh: Vec<Instant>,
    n_lasting: usize,
    n_waiting: usize,
    is_watched: bool,
}

impl Throttle {
    /// Makes a throttle; for a `static`.
    #[must_use]
    pub const fn new() -> Self {
        Self::with_patience(PATIENCE)
    }

    /// As [`new`](Self::new), for sections of which only those that last longer than this are not to
    /// count: such as compute, or have the kernel compute.
    #[must_use]
    pub const fn with_patience(patience: Duration) -> Self {
        Self {
            inside: LifeLock::new(Inside::new(), Inside::new),
            changes: AtomicU32::new(0),
            patience,
            what: None,
        }
    }

    /// As what those see a thread in such a section who look at the process: [`WaitReason::LookUp`] or
    /// [`WaitReason::Child`].
    #[must_use]
    pub const fn shown_as(mut self, what: WaitReason) -> Self {
        self.what = Some(what);
        self
    }

    /// As [`blocking()`](crate::blocking()), once there is room. From an ordinary thread this is just a
    /// call.
    pub fn blocking<T: Send>(&self, f: impl FnOnce() -> T + Send) -> T {
        let Some(task) = current::green() else { return f() };
        let scheduler = scheduler::get();
        let n_workers = scheduler.n_cores().max(2);
        let began = self.enter(n_workers);
        let _passage = Passage { throttle: self, task, began, n_workers, life: life::number() };
        if let Some(what) = self.what {
            // Orders nothing, here and below: who looks takes what is there.
            task.reason.store(what as u8, Ordering::Relaxed);
        }
        scheduler.blocking(task, f)
    }

    /// Waits for a place; when the section begins.
    fn enter(&self, n_workers: usize) -> Instant {
        let mut watches = false;
        loop {
            let mut inside = self.inside.lock_with_room(|inside| &mut inside.fresh);
            let now = Instant::now();
            inside.age(now, self.patience);
            if watches {
                inside.is_watched = false;
            }
            if inside.n_free(n_workers) > 0 {
                inside.fresh.push(now);
                let n_more = inside.n_free(n_workers).max(usize::from(!inside.is_watched));
                self.let_in(inside.n_waiting.min(n_more), inside);
                return now;
            }
            watches = !inside.is_watched;
            inside.is_watched = true;
            inside.n_waiting += 1;
            let until =
                inside.fresh.first().filter(|_| watches).map(|began| *began + self.patience);
            // Under the lock, as is each change.
            let seen = self.changes.load(Ordering::Relaxed);
            drop(inside);
            wait(&self.changes, seen, until, WaitReason::Turn);
            self.inside.lock().n_waiting -= 1;
        }
    }

    /// A section has ended, which began then.
    fn leave(&self, began: Instant, n_workers: usize) {
        let mut inside = self.inside.lock();
        inside.leave(began);
        let n_free = inside.n_free(n_workers);
        self.let_in(inside.n_waiting.min(n_free), inside);
    }

    /// Wakes so many.
    fn let_in(&self, n: usize, inside: Guard<'_, Inside>) {
        if n > 0 {
            // Under the lock, which orders it.
            self.changes.fetch_add(1, Ordering::Relaxed);
        }
        drop(inside);
        if n > 0 {
            wake(&self.changes, n);
        }
    }
}

impl Inside {
    const fn new() -> Self {
        Self { fresh: Vec::new(), n_lasting: 0, n_waiting: 0, is_watched: false }
    }

    /// Sees which sections last by now.
    fn age(&mut self, now: Instant, patience: Duration) {
        let n_lasting = self.fresh.partition_point(|began| now - *began >= patience);
        self.fresh.drain(..n_lasting);
        self.n_lasting += n_lasting;
    }

    /// How many more may begin.
    fn n_free(&self, n_workers: usize) -> usize {
        (n_workers + self.n_lasting).saturating_sub(self.fresh.len())
    }

    /// Takes out a section. Those that began at the same time are alike, and last together.
    fn leave(&mut self, began: Instant) {
        match self.fresh.binary_search(&began) {
            Ok(at) => _ = self.fresh.remove(at),
            Err(_) => self.n_lasting -= 1,
        }
    }
}

impl Default for Throttle {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Throttle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Throttle").field("patience", &self.patience).finish_non_exhaustive()
    }
}

/// Ends a section when it is dropped, also one that panics.
struct Passage<'a> {
    throttle: &'a Throttle,
    task: &'a Header,
    began: Instant,
    n_workers: usize,
    life: u32,
}

impl Drop for Passage<'_> {
    fn drop(&mut self) {
        if self.throttle.what.is_some() {
            self.task.reason.store(0, Ordering::Relaxed);
        }
        // A section that forks has begun in the parent.
        if self.life == life::number() {
            self.throttle.leave(self.began, self.n_workers);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(1);

    /// Begins as many as may, at this time.
    fn fill(inside: &mut Inside, now: Instant) -> usize {
        inside.age(now, 3 * TICK);
        let n_free = inside.n_free(2);
        inside.fresh.extend(std::iter::repeat_n(now, n_free));
        n_free
    }

    #[test]
    fn where_all_last_their_number_doubles_and_more() {
        let (mut inside, begin) = (Inside::new(), Instant::now());
        let begun: Vec<_> = (0..24).map(|tick| fill(&mut inside, begin + tick * TICK)).collect();
        let begun: Vec<_> = begun.into_iter().filter(|n| *n > 0).collect();
        assert_eq!(begun, [2, 4, 8, 16, 32, 64, 128, 256]);
    }

    #[test]
    fn quick_ones_are_as_many_as_places() {
        let (mut inside, mut now) = (Inside::new(), Instant::now());
        for _ in 0..100 {
            assert_eq!(fill(&mut inside, now), 2);
            inside.leave(now);
            inside.leave(now);
            now += 2 * TICK;
        }
        assert_eq!((inside.fresh.len(), inside.n_lasting), (0, 0));
    }

    #[test]
    fn beside_one_that_lasts_the_others_have_their_places() {
        let (mut inside, begin) = (Inside::new(), Instant::now());
        inside.fresh.push(begin);
        let mut now = begin + 3 * TICK;
        for _ in 0..10 {
            assert_eq!(fill(&mut inside, now), 3);
            (0..3).for_each(|_| inside.leave(now));
            now += TICK;
        }
        inside.leave(begin);
        assert_eq!((inside.fresh.len(), inside.n_lasting), (0, 0));
    }
}
