//! The sending handles.

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};

use super::channel::{Channel, Tx};
use super::primitive::Arc;
use super::{SendError, TrySendError};

/// Sends messages into a [`channel`](super::channel).
///
/// Clones send into the same channel. When the last one is dropped, the receiver gets what has
/// been sent, and then learns that there is no more.
///
/// This corresponds to [`std::sync::mpsc::Sender`].
///
/// # Examples
///
/// ```
/// use std_shim::sync::mpsc::channel;
/// use std_shim::thread;
///
/// let (sender, receiver) = channel();
/// for n in 0..3 {
///     let sender = sender.clone();
///     thread::spawn(move || sender.send(n).unwrap());
/// }
/// drop(sender);
/// assert_eq!(receiver.iter().sum::<i32>(), 3);
/// ```
pub struct Sender<T> {
    tx: Tx<T>,
}

impl<T> UnwindSafe for Sender<T> {}
impl<T> RefUnwindSafe for Sender<T> {}

impl<T> Sender<T> {
    pub(super) fn new(channel: Arc<Channel<T>>) -> Self {
        Self { tx: Tx::new(channel) }
    }

    /// Sends `t`. Never waits.
    ///
    /// `Ok` does not say that the message will be received: the receiver may be dropped before.
    ///
    /// This corresponds to [`std::sync::mpsc::Sender::send`].
    ///
    /// # Errors
    ///
    /// If the receiver is gone; the error contains `t`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::sync::mpsc::{self, SendError};
    ///
    /// let (sender, receiver) = mpsc::channel();
    /// sender.send(1).unwrap();
    /// drop(receiver);
    /// assert_eq!(sender.send(2), Err(SendError(2)));
    /// ```
    pub fn send(&self, t: T) -> Result<(), SendError<T>> {
        self.tx.send(t).map_err(SendError)
    }
}

impl<T> Clone for Sender<T> {
    /// Makes another sender into the same channel.
    fn clone(&self) -> Sender<T> {
        Sender { tx: self.tx.clone() }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

/// Sends messages into a [`sync_channel`](super::sync_channel).
///
/// Clones send into the same channel. When the last one is dropped, the receiver gets what has
/// been sent, and then learns that there is no more.
///
/// This corresponds to [`std::sync::mpsc::SyncSender`].
///
/// # Examples
///
/// ```
/// use std_shim::sync::mpsc::sync_channel;
/// use std_shim::thread;
///
/// // There is room for one: the second `send` waits for the first `recv`.
/// let (sender, receiver) = sync_channel(1);
/// thread::spawn(move || {
///     sender.send(1).unwrap();
///     sender.send(2).unwrap();
/// });
/// assert!(receiver.iter().eq([1, 2]));
/// ```
pub struct SyncSender<T> {
    tx: Tx<T>,
}

impl<T> UnwindSafe for SyncSender<T> {}
impl<T> RefUnwindSafe for SyncSender<T> {}

impl<T> SyncSender<T> {
    pub(super) fn new(channel: Arc<Channel<T>>) -> Self {
        Self { tx: Tx::new(channel) }
    }

    /// Sends `t`, parking the calling green thread (blocking an ordinary one) until there is room.
    ///
    /// If the channel holds nothing, until the receiver has taken `t`. Otherwise `Ok` does not say
    /// that the message will be received: the receiver may be dropped before.
    ///
    /// This corresponds to [`std::sync::mpsc::SyncSender::send`].
    ///
    /// # Errors
    ///
    /// If the receiver is gone, or goes while this waits; the error contains `t`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::sync::mpsc;
    /// use std_shim::thread;
    ///
    /// let (sender, receiver) = mpsc::sync_channel(0);
    /// let meeting = thread::spawn(move || sender.send("hello"));
    /// assert_eq!(receiver.recv(), Ok("hello"));
    /// assert_eq!(meeting.join().unwrap(), Ok(()));
    /// ```
    pub fn send(&self, t: T) -> Result<(), SendError<T>> {
        self.tx.send(t).map_err(SendError)
    }

    /// Sends `t` if there is room.
    ///
    /// If the channel holds nothing: if the receiver is waiting for it.
    ///
    /// This corresponds to [`std::sync::mpsc::SyncSender::try_send`].
    ///
    /// # Errors
    ///
    /// [`TrySendError::Full`] if there is no room, [`TrySendError::Disconnected`] if the receiver
    /// is gone; both contain `t`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::sync::mpsc::{TrySendError, sync_channel};
    ///
    /// let (sender, receiver) = sync_channel(1);
    /// sender.try_send(1).unwrap();
    /// assert_eq!(sender.try_send(2), Err(TrySendError::Full(2)));
    /// drop(receiver);
    /// assert_eq!(sender.try_send(2), Err(TrySendError::Disconnected(2)));
    /// ```
    pub fn try_send(&self, t: T) -> Result<(), TrySendError<T>> {
        self.tx.try_send(t)
    }
}

impl<T> Clone for SyncSender<T> {
    /// Makes another sender into the same channel.
    fn clone(&self) -> SyncSender<T> {
        SyncSender { tx: self.tx.clone() }
    }
}

impl<T> fmt::Debug for SyncSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SyncSender").finish_non_exhaustive()
    }
}
