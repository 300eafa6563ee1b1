//! The inbox: where senders leave messages, and how the receiver learns of them.
//!
//! One word says all there is to say:
//!
//! | `latest` | meaning |
//! |---|---|
//! | `EMPTY` | nothing is in |
//! | `PARKED` | nothing is in, and the receiver is parked: the next to put something in wakes it |
//! | a letter | the letter put in last; each letter points to the one before it |
//! | .. with the bit `HUNG_UP` | the same, and there is no sender any more |
//! | `CLOSED` | there is no receiver any more: nothing gets in |
//!
//! ```text
//!                 put                    put
//!   EMPTY ---------------> letter -----------------> letter -> letter
//!    |  ^                    ^                            |
//!    |  | time out           | put, wake                  | collect: all, turned round
//!    v  |                    |                            v
//!   PARKED ------------------+                          EMPTY
//! ```
//!
//! A letter is in or it is not. There is no state in between that another thread would have to wait
//! out, and none of the operations here can be held up by a thread that stops in the middle. The
//! receiver takes all letters out in one step and turns the chain round, so each letter is touched
//! twice, and no list is shared.
//!
//! # Parking
//!
//! Without a deadline the receiver turns `EMPTY` into a pointer to its [`Sleeper`], with the bit
//! `PARKED`; if that fails there is something to collect. Who takes the pointer out (a sender that
//! puts a letter in, or the last sender when it hangs up) wakes it.
//!
//! With a deadline there is a doorbell:
//!
//! 1. The receiver reads `doorbell`.
//! 2. It turns `EMPTY` into `PARKED`; if that fails there is something to collect.
//! 3. It parks on the value of `doorbell` it has read.
//! 4. Who turns `PARKED` into something else moves `doorbell` and wakes the receiver. At a time out
//!    that can be the receiver itself.
//!
//! One turn of the word decides who wakes, and exactly one does. A ring of the doorbell may come
//! late, when the receiver has found the letter on its own and parks anew. It then looks at the
//! word, finds `PARKED`, and parks again on the doorbell as it was before that look.
//!
//! # Memory ordering
//!
//! `put` and `hang_up` release on `latest`, `collect` acquires: each put is a read-modify-write, so
//! the last one carries on what those before it released. Step 2 releases and step 4 acquires, so
//! the doorbell moves after it has been read. Step 4 moves it with a release, and the receiver reads
//! it with an acquire before it looks at `latest`. So a move that it has seen is one whose cause it
//! sees. `receipt` is released with what became of the letter and acquired by its sender.

use std::mem::{self, ManuallyDrop};
use std::ptr::{self, NonNull};
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::time::Instant;

use super::primitive::{AtomicPtr, AtomicU32, Sleeper, Wait, WaitReason, wait, wake};

/// A message on its way.
///
/// Belongs to the one who posts it until it is in the inbox; then to the inbox and to whoever
/// collects it. A letter that asks for a receipt goes back to its sender with that.
#[repr(align(8))]
struct Letter<T> {
    /// In the inbox: the letter put in before. In a chain: the next one to be read.
    next: *mut Letter<T>,
    receipt: AtomicU32,
    message: ManuallyDrop<T>,
}

/// No receipt is asked for: who takes the message frees the letter.
const NOT_ASKED: u32 = 0;
/// The sender waits for the receipt, and will free the letter.
const ASKED: u32 = 1;
/// The message has been taken out.
const TAKEN: u32 = 2;
/// The message is still in the letter: there is no receiver any more.
const RETURNED: u32 = 3;

/// Values of `latest` that are no letters; letters and sleepers are aligned to 8.
const EMPTY: usize = 0;
const HUNG_UP: usize = 1;
pub(super) const PARKED: usize = 2;
const CLOSED: usize = 4;

/// Why a message did not get in.
#[derive(Debug)]
pub(super) enum Refusal<T> {
    /// The receiver is not waiting for it.
    Busy(T),
    /// The receiver is gone.
    Closed(T),
}

/// What `collect` finds.
pub(super) enum Mail<T> {
    /// At least one message.
    Some(Chain<T>),
    /// Nothing yet.
    None,
    /// Nothing, and no sender to put anything in.
    NoMore,
}

/// Messages on their way to one receiver.
#[repr(C)]
pub(super) struct Inbox<T> {
    latest: AtomicPtr<Letter<T>>,
    doorbell: AtomicU32,
}

// SAFETY: an inbox hands a `T` from one thread to another, which `T: Send` allows, and never gives
// out a `&T`.
unsafe impl<T: Send> Send for Inbox<T> {}
// SAFETY: as above; what several threads do to one inbox at a time they do by its atomic words.
unsafe impl<T: Send> Sync for Inbox<T> {}

impl<T> Inbox<T> {
    pub(super) fn new() -> Self {
        Self { latest: AtomicPtr::new(word(EMPTY)), doorbell: AtomicU32::new(0) }
    }

    /// Puts a message in.
    pub(super) fn put(&self, message: T) -> Result<(), Refusal<T>> {
        self.post(Letter::new(message, NOT_ASKED), |_| true).map(drop)
    }

    /// Puts a message in if the receiver is parked and nobody else has woken it.
    pub(super) fn put_if_awaited(&self, message: T) -> Result<(), Refusal<T>> {
        self.post(Letter::new(message, NOT_ASKED), is_parked).map(drop)
    }

    /// Puts a message in, and waits until the receiver has taken it out.
    pub(super) fn deliver(&self, message: T) -> Result<(), Refusal<T>> {
        let letter = self.post(Letter::new(message, ASKED), |_| true)?;
        let letter = letter.as_ptr();
        // SAFETY: a letter that asks for a receipt is freed by its sender only, which is us.
        let receipt = unsafe { &(*letter).receipt };
        let outcome = loop {
            // Pairs with the store in `Letter::acknowledge`.
            let outcome = receipt.load(Acquire);
            if outcome != ASKED {
                break outcome;
            }
            wait(receipt, ASKED, None, WaitReason::Send);
        };
        // SAFETY: the receipt says that the letter is ours again, and `receipt` is used no more.
        let letter = unsafe { Box::from_raw(letter) };
        match outcome {
            TAKEN => Ok(()),
            _ => Err(Refusal::Closed(ManuallyDrop::into_inner(letter.message))),
        }
    }

    /// Puts a letter in, if `admits` agrees to what is there; returns where it is.
    fn post(
        &self,
        mut letter: Box<Letter<T>>,
        admits: impl Fn(usize) -> bool,
    ) -> Result<NonNull<Letter<T>>, Refusal<T>> {
        let mut latest = self.latest.load(Relaxed);
        loop {
            if latest.addr() & CLOSED != 0 {
                return Err(Refusal::Closed(ManuallyDrop::into_inner(letter.message)));
            }
            if !admits(latest.addr()) {
                return Err(Refusal::Busy(ManuallyDrop::into_inner(letter.message)));
            }
            let parked = is_parked(latest.addr());
            letter.next = if parked { word(EMPTY) } else { latest };
            let new = NonNull::from(Box::leak(letter));
            // Releases the letter to `collect`; acquires from the receiver that has parked.
            match self.latest.compare_exchange_weak(latest, new.as_ptr(), AcqRel, Relaxed) {
                Ok(_) => {
                    if parked {
                        self.wake_receiver(latest);
                    }
                    return Ok(new);
                }
                Err(now) => {
                    latest = now;
                    // SAFETY: it was leaked above, and has not got in.
                    letter = unsafe { Box::from_raw(new.as_ptr()) };
                }
            }
        }
    }

    /// Whether the receiver is gone.
    pub(super) fn is_closed(&self) -> bool {
        self.latest.load(Relaxed).addr() & CLOSED != 0
    }

    /// Says that there will be no more messages. The last sender's.
    pub(super) fn hang_up(&self) {
        let mut latest = self.latest.load(Relaxed);
        loop {
            let parked = is_parked(latest.addr());
            let hung_up =
                if parked { word(HUNG_UP) } else { latest.map_addr(|addr| addr | HUNG_UP) };
            // Releases to `collect`; acquires from the receiver that has parked.
            match self.latest.compare_exchange_weak(latest, hung_up, AcqRel, Relaxed) {
                Ok(_) if parked => return self.wake_receiver(latest),
                Ok(_) => return,
                Err(now) => latest = now,
            }
        }
    }

    /// Wakes the receiver. For the one who has turned `parked` into something else.
    fn wake_receiver(&self, parked: *mut Letter<T>) {
        if parked.addr() == PARKED {
            // Pairs with the loads in `wait_for_mail_until`.
            self.doorbell.fetch_add(1, Release);
            wake(&self.doorbell, 1);
        } else {
            let sleeper = parked.map_addr(|addr| addr & !PARKED).cast::<Sleeper>();
            // SAFETY: the receiver has left it in the word, and the caller has taken it out.
            unsafe { Sleeper::wake(sleeper) };
        }
    }

    /// Takes all messages out. The receiver's.
    #[inline]
    pub(super) fn collect(&self) -> Mail<T> {
        let latest = self.latest.load(Relaxed);
        match latest.addr() {
            EMPTY => return Mail::None,
            HUNG_UP => return Mail::NoMore,
            addr => debug_assert!(addr & (PARKED | CLOSED) == 0),
        }
        // Acquires what each `put` has released.
        let latest = self.latest.swap(word(EMPTY), Acquire);
        if latest.addr() & HUNG_UP != 0 {
            // There is no sender left to see the word without its bit.
            self.latest.store(word(HUNG_UP), Relaxed);
        }
        Mail::Some(Chain::turned_round(latest))
    }

    /// Parks until there is something to collect, or nothing more to wait for. The receiver's.
    #[inline]
    pub(super) fn wait_for_mail(&self) {
        let me = Sleeper::new();
        let parked = me.as_ptr().cast_mut().map_addr(|addr| addr | PARKED).cast();
        // Releases to the one who will wake.
        if self.latest.compare_exchange(word(EMPTY), parked, Release, Relaxed).is_ok() {
            me.sleep(WaitReason::Channel);
        }
    }

    /// As `wait_for_mail`, until `deadline` at most; says whether something came before that.
    pub(super) fn wait_for_mail_until(&self, deadline: Instant) -> bool {
        let mut heard = self.doorbell.load(Acquire);
        // Releases to the one who will wake.
        if self.latest.compare_exchange(word(EMPTY), word(PARKED), Release, Relaxed).is_err() {
            return true;
        }
        loop {
            let ended = wait(&self.doorbell, heard, Some(deadline), WaitReason::Channel);
            // Pairs with the increment in `wake_receiver`, and comes before the look at `latest`.
            heard = self.doorbell.load(Acquire);
            if self.latest.load(Relaxed).addr() != PARKED {
                return true;
            }
            if ended == Wait::TimedOut {
                let unparked =
                    self.latest.compare_exchange(word(PARKED), word(EMPTY), Relaxed, Relaxed);
                return unparked.is_err();
            }
        }
    }

    /// Lets nothing in any more, and takes out what is in. The receiver's, as its last act.
    pub(super) fn close(&self) -> Chain<T> {
        // Acquires what each `put` has released.
        Chain::turned_round(self.latest.swap(word(CLOSED), Acquire))
    }
}

/// Whether a value of `latest` says that the receiver is parked.
fn is_parked(addr: usize) -> bool {
    addr & PARKED != 0
}

/// A value of `latest` that is no letter.
fn word<T>(value: usize) -> *mut Letter<T> {
    ptr::without_provenance_mut(value)
}

impl<T> Letter<T> {
    fn new(message: T, receipt: u32) -> Box<Self> {
        Box::new(Self {
            next: word(EMPTY),
            receipt: AtomicU32::new(receipt),
            message: ManuallyDrop::new(message),
        })
    }

    /// Tells the sender what has become of its letter, and leaves it the letter.
    ///
    /// # Safety
    ///
    /// The letter is the caller's, asks for a receipt, and is not used after this.
    unsafe fn acknowledge(letter: *mut Self, outcome: u32) {
        // SAFETY: the letter is good until the store below.
        let receipt = unsafe { &raw const (*letter).receipt };
        // SAFETY: as above. Releases the letter to `deliver`, which may free it at once.
        unsafe { (*receipt).store(outcome, Release) };
        // The address is compared only; by now there may be something else.
        wake(receipt, 1);
    }
}

/// Letters that the receiver has collected, in the order in which they were put in.
///
/// Each letter in a chain belongs to it, save that the sender of one that asks for a receipt looks
/// at the receipt.
pub(super) struct Chain<T> {
    first: *mut Letter<T>,
}

// SAFETY: a chain owns the messages in it; `T: Send` allows to send them.
unsafe impl<T: Send> Send for Chain<T> {}

impl<T> Chain<T> {
    /// The chain of the letters behind a value of `latest`, whatever it is.
    fn turned_round(latest: *mut Letter<T>) -> Self {
        let mut letter = latest.map_addr(|addr| addr & !(HUNG_UP | PARKED | CLOSED));
        let mut first = word(EMPTY);
        while !letter.is_null() {
            // SAFETY: `latest` was taken out of the inbox, and all letters behind it with it.
            let next = unsafe { &mut (*letter).next };
            let before = mem::replace(next, first);
            first = letter;
            letter = before;
        }
        Self { first }
    }

    /// Takes the first letter out.
    fn unlink(&mut self) -> Option<NonNull<Letter<T>>> {
        let letter = NonNull::new(self.first)?;
        // SAFETY: the letter is the chain's.
        self.first = unsafe { (*letter.as_ptr()).next };
        Some(letter)
    }

    /// Takes the first message out, and gives its sender the receipt if it asks for one.
    pub(super) fn pop(&mut self) -> Option<T> {
        let letter = self.unlink()?.as_ptr();
        // SAFETY: the letter was the chain's, and the message is still in it.
        let message = unsafe { ptr::read(&raw const (*letter).message) };
        // SAFETY: as above.
        if unsafe { asks_for_receipt(letter) } {
            // SAFETY: as above; nothing of the letter is used from here on.
            unsafe { Letter::acknowledge(letter, TAKEN) };
        } else {
            // SAFETY: nobody else knows of the letter. The message stays in our hands: in the box
            // it is a `ManuallyDrop`.
            drop(unsafe { Box::from_raw(letter) });
        }
        Some(ManuallyDrop::into_inner(message))
    }

    /// Hands back the messages whose senders wait for a receipt, and drops the others, in order.
    #[cold]
    fn discard(&mut self) {
        while let Some(letter) = self.unlink() {
            let letter = letter.as_ptr();
            // SAFETY: the letter was the chain's.
            if unsafe { asks_for_receipt(letter) } {
                // SAFETY: as above; the message is in it, and it is not used from here on.
                unsafe { Letter::acknowledge(letter, RETURNED) };
            } else {
                // SAFETY: nobody else knows of the letter.
                let letter = unsafe { Box::from_raw(letter) };
                // Should the drop of the message panic, the rest still goes its way.
                let mut rest = mem::take(self);
                drop(ManuallyDrop::into_inner(letter.message));
                mem::swap(self, &mut rest);
            }
        }
    }
}

/// Whether the sender of `letter` waits for the receipt.
///
/// # Safety
///
/// The letter is the caller's.
unsafe fn asks_for_receipt<T>(letter: *mut Letter<T>) -> bool {
    // SAFETY: by contract. The receipt was written before the letter was put in, and is written
    // again by who has the letter.
    unsafe { (*letter).receipt.load(Relaxed) == ASKED }
}

impl<T> Default for Chain<T> {
    /// No letters.
    fn default() -> Self {
        Self { first: word(EMPTY) }
    }
}

impl<T> Drop for Chain<T> {
    #[inline]
    fn drop(&mut self) {
        if !self.first.is_null() {
            self.discard();
        }
    }
}
