//! Green `std::sync::mpsc`: channels of many senders and one receiver.
//!
//! All channels are one: an `inbox` that messages are put into, which wakes the receiver, and
//! that the receiver empties. What tells them apart is what a sender does besides:
//!
//! | channel | sender |
//! |---|---|
//! | `channel()` | puts its message in and is done: it never waits |
//! | `sync_channel(n)` | first passes a `gate`, which lets in as many as there is room for |
//! | `sync_channel(0)` | afterwards waits for the receipt: the receiver has taken the message |
//!
//! ```text
//!   senders --- gate ---> inbox ---> backlog ---> recv()
//!                 ^      (shared)   (receiver's)    |
//!                 +------ one more may enter -------+
//! ```
//!
//! A message costs a sender one atomic operation (two if bounded), and the receiver less than one.
//! It takes all that is in the inbox at once and works off this backlog on its own.
//!
//! # Who drops what
//!
//! The receiver, when dropped, closes the inbox for good, in the same atomic operation that takes
//! out what is in it. It drops these messages, or hands them back to the senders that wait for
//! receipts. So no message is ever left in a channel that nobody will read: it has been received,
//! dropped by the receiver, or handed back by `send` as an error.

mod channel;
mod gate;
mod inbox;
mod receiver;
mod sender;

use std::mem::offset_of;

use super::primitive;

const _: () = if let Some((parked, senders_at)) = primitive::SEEN {
    assert!(inbox::PARKED as u64 == parked);
    assert!(offset_of!(channel::Channel<u8>, senders) as u64 == senders_at);
};

pub use ::std::sync::mpsc::{RecvError, RecvTimeoutError, SendError, TryRecvError, TrySendError};

pub use self::receiver::{IntoIter, Iter, Receiver, TryIter};
pub use self::sender::{Sender, SyncSender};

/// Creates a channel that takes any number of messages; sending never waits.
///
/// This corresponds to [`std::sync::mpsc::channel`].
///
/// # Examples
///
/// ```
/// use std_shim::sync::mpsc;
/// use std_shim::thread;
///
/// let (sender, receiver) = mpsc::channel();
/// for n in 1..=3 {
///     let sender = sender.clone();
///     thread::spawn(move || sender.send(n).unwrap());
/// }
/// drop(sender);
/// assert_eq!(receiver.iter().sum::<i32>(), 6);
/// ```
#[must_use]
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let channel = channel::unbounded();
    (Sender::new(channel.clone()), Receiver::new(channel))
}

/// Creates a channel that holds up to `bound` messages; sending waits for room.
///
/// With a `bound` of 0 nothing is held: sending waits until the receiver has taken the message.
///
/// This corresponds to [`std::sync::mpsc::sync_channel`].
///
/// # Examples
///
/// ```
/// use std_shim::sync::mpsc::{self, TrySendError};
///
/// let (sender, receiver) = mpsc::sync_channel(1);
/// sender.send("one").unwrap();
/// assert_eq!(sender.try_send("two"), Err(TrySendError::Full("two")));
/// assert_eq!(receiver.recv(), Ok("one"));
/// assert_eq!(sender.try_send("two"), Ok(()));
/// ```
#[must_use]
pub fn sync_channel<T>(bound: usize) -> (SyncSender<T>, Receiver<T>) {
    let channel = channel::bounded(bound);
    (SyncSender::new(channel.clone()), Receiver::new(channel))
}
