//! Who has a lock: noted where somebody wants to hear of deadlocks (`SYLVAN_DEADLOCK`), and nowhere else.
//!
//! A lock that is free is taken by one step, which knows nothing of its owner; so it is to stay. But before that
//! step the mirror looks at a word of the scheduler's (`is_pressed`), which sends those who take locks the long
//! way. There they note that they have the lock, and leave it as if others waited for it, so that the unlock goes
//! the long way, too, and takes back the note. So what is noted is so: the thread has taken the lock, and has not
//! given it up. Who reads under a reader-writer lock notes nothing: there may be many, and none knows of the others.
//!
//! A thread of a scope notes of which one it is, in the place of its task: the scope waits for it.
//!
//! Notes are in places of one word (`sylvan_sight::owners`), so nobody reads half of one.

use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

use sylvan_sight::owners::{N_PLACES, Place, Who};

use crate::current;
use crate::life::PerLife;
use crate::primitive::AtomicU32;
use crate::sys::thread;

/// A pointer to them, and their number.
pub(crate) struct Places(Box<[AtomicU64]>);

pub(crate) static PLACES: PerLife<Places> = PerLife::new();

/// Owners are noted from now on.
pub(crate) fn begin() {
    PLACES.begin(Places((0..N_PLACES).map(|_| AtomicU64::new(0)).collect()));
}

/// In a child of a fork: nobody notes anything.
pub(crate) fn forget() {
    let _ = PLACES.forget();
}

/// Whether who takes a lock by the long way is to note it, and to leave it so that its unlock goes the long way.
#[inline]
pub fn notes_owners() -> bool {
    PLACES.get().is_some()
}

/// The calling thread has taken the lock with this word, if [`notes_owners`].
pub fn note_owner(word: &AtomicU32) {
    let Some((places, place)) = place_of(word) else { return };
    let who = match current::green() {
        Some(task) => Who::Thread(task.id.get()),
        None => Who::OsThread(thread::id()),
    };
    // It orders nothing: who reads it compares it with what it reads later.
    places.0[place.index].store(place.word(who), Ordering::Relaxed);
}

/// The calling thread, which has the lock with this word, is about to give it up.
pub fn forget_owner(word: &AtomicU32) {
    if let Some((places, place)) = place_of(word) {
        places.forget(place);
    }
}

impl Places {
    /// Takes back what the place says of a lock or a task.
    fn forget(&self, place: Place) {
        let it = &self.0[place.index];
        let noted = it.load(Ordering::Relaxed);
        if place.is_of(noted) {
            // Unless it was taken for another one meanwhile.
            let _ = it.compare_exchange(noted, 0, Ordering::Relaxed, Ordering::Relaxed);
        }
    }
}

/// The calling thread is of the scope that waits at this word, if [`notes_owners`].
pub fn note_scope(scope: &AtomicU32) {
    let Some((places, place)) = place_of_task() else { return };
    let scope = ptr::from_ref(scope).addr() as u64;
    places.0[place.index].store(place.of_scope(scope), Ordering::Relaxed);
}

/// It is so no more.
pub fn forget_scope() {
    if let Some((places, place)) = place_of_task() {
        places.forget(place);
    }
}

fn place_of_task() -> Option<(&'static Places, Place)> {
    let places = PLACES.get()?;
    // One that has become an OS thread meanwhile is still the one that was noted.
    let task = current::green().or_else(current::bound)?;
    Some((places, Place::of(ptr::from_ref(task).addr() as u64)?))
}

fn place_of(word: &AtomicU32) -> Option<(&'static Places, Place)> {
    Some((PLACES.get()?, Place::of(ptr::from_ref(word).addr() as u64)?))
}
