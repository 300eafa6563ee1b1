//! Questions that several threads ask at a time are asked once.
//!
//! Who asks first takes the question to whoever knows; those who ask the same until the answer is there wait
//! for it, parked, and get a copy. Nothing is kept: who asks after that asks anew.
//!
//! - What is under way is under a lock, so that each question has one thread that takes it. When it has the
//!   answer it first takes the question out, and knows with that how many have joined it.
//! - If it unwinds, those who have joined it ask themselves.
//! - In a child of a fork nothing is under way.

use std::fmt;
use std::sync::Arc;

use crate::current;
use crate::life;
use crate::life_lock::LifeLock;
use crate::lock::Lock;
use crate::park::{WaitReason, wait, wake};
use crate::primitive::{AtomicU32, Ordering};

/// Questions `K` that are under way to answers `T`: the same one is asked once at a time.
///
/// ```
/// use sylvan::contract::SingleFlight;
///
/// static SQUARES: SingleFlight<u32, u32> = SingleFlight::new();
///
/// let ask = || SQUARES.run(7, || 7 * 7);
/// let threads: Vec<_> = (0..10).map(|_| sylvan::spawn(ask)).collect();
/// assert!(threads.into_iter().all(|thread| thread.join().unwrap() == 49));
/// ```
pub struct SingleFlight<K, T> {
    /// In the order of the questions.
    under_way: LifeLock<Vec<(K, Arc<Flight<T>>)>>,
}

struct Flight<T> {
    /// None until it is over, or if nobody has joined.
    answer: Lock<Option<T>>,
    /// A number, to wait at: 1 when it is over.
    is_over: AtomicU32,
}

impl<K: Clone + Ord, T: Clone> SingleFlight<K, T> {
    /// Nothing under way; for a `static`.
    #[must_use]
    pub const fn new() -> Self {
        Self { under_way: LifeLock::new(Vec::new(), Vec::new) }
    }

    /// What `ask` returns, or what that of another green thread returns that has asked the same and has no
    /// answer yet. From an ordinary thread this is just a call.
    pub fn run(&self, question: K, ask: impl FnOnce() -> T) -> T {
        if current::green().is_none() {
            return ask();
        }
        let mut new = None;
        let flight = loop {
            let mut under_way = self.under_way.lock_with_room(|under_way| under_way);
            match under_way.binary_search_by(|(other, _)| other.cmp(&question)) {
                Ok(at) => {
                    let flight = Arc::clone(&under_way[at].1);
                    drop(under_way);
                    drop(new);
                    return flight.join().unwrap_or_else(ask);
                }
                Err(at) => {
                    if let Some((question, flight)) = new.take() {
                        let ours = Arc::clone(&flight);
                        under_way.insert(at, (question, flight));
                        break ours;
                    }
                }
            }
            drop(under_way);
            // Not under the lock, where memory is not to be asked for.
            let answer = Lock::new(None);
            let flight = Arc::new(Flight { answer, is_over: AtomicU32::new(0) });
            new = Some((question.clone(), flight));
        };
        let answer;
        let life = life::number();
        let mut landing = Landing { all: self, question, flight, life, answer: None };
        answer = ask();
        landing.answer = Some(&answer);
        drop(landing);
        answer
    }
}

impl<T: Clone> Flight<T> {
    /// The answer, once it is there; none if whoever was to bring it has unwound.
    fn join(&self) -> Option<T> {
        // Acquire pairs with the release in `Landing::drop`.
        while self.is_over.load(Ordering::Acquire) == 0 {
            wait(&self.is_over, 0, None, WaitReason::Answer);
        }
        self.answer.lock().clone()
    }
}

/// Ends a flight when it is dropped, with the answer for those who have joined; with none if `ask` unwinds.
struct Landing<'a, K: Ord, T: Clone> {
    all: &'a SingleFlight<K, T>,
    question: K,
    flight: Arc<Flight<T>>,
    life: u32,
    answer: Option<&'a T>,
}

impl<K: Ord, T: Clone> Landing<'_, K, T> {
    /// Nobody else joins.
    fn close(&self) {
        // A flight that forks has begun in the parent.
        if self.life == life::number() {
            let mut under_way = self.all.under_way.lock();
            let at = under_way.binary_search_by(|(other, _)| other.cmp(&self.question));
            let at = at.ok().filter(|at| Arc::ptr_eq(&under_way[*at].1, &self.flight));
            let over = at.map(|at| under_way.remove(at));
            drop(under_way);
            drop(over);
        }
    }
}

impl<K: Ord, T: Clone> Drop for Landing<'_, K, T> {
    fn drop(&mut self) {
        self.close();
        // This one's own; what was under way is not any more, so nobody joins now.
        if Arc::strong_count(&self.flight) == 1 {
            return;
        }
        let answer = self.answer.cloned();
        *self.flight.answer.lock() = answer;
        // Release pairs with the acquire in `join`.
        self.flight.is_over.store(1, Ordering::Release);
        wake(&self.flight.is_over, usize::MAX);
    }
}

impl<K: Clone + Ord, T: Clone> Default for SingleFlight<K, T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, T> fmt::Debug for SingleFlight<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SingleFlight").finish_non_exhaustive()
    }
}
