//! The receiving handle and its iterators.

use std::cell::Cell;
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::time::{Duration, Instant};

use super::channel::Channel;
use super::inbox::{Chain, Mail};
use super::primitive::Arc;
use super::{RecvError, RecvTimeoutError, TryRecvError};

/// Receives the messages of a channel, in the order in which they were sent.
///
/// Dropping it drops the messages that are still in the channel; sending is an error from then on.
///
/// This corresponds to [`std::sync::mpsc::Receiver`].
///
/// # Examples
///
/// ```
/// use std_shim::sync::mpsc;
/// use std_shim::thread;
///
/// let (sender, receiver) = mpsc::channel();
/// thread::spawn(move || (1..=3).try_for_each(|n| sender.send(n)));
/// assert_eq!(receiver.recv(), Ok(1));
/// assert_eq!(receiver.iter().collect::<Vec<_>>(), [2, 3]);
/// assert!(receiver.recv().is_err());
/// ```
pub struct Receiver<T> {
    channel: Arc<Channel<T>>,
    /// What has been collected and not been received yet.
    backlog: Cell<Chain<T>>,
}

impl<T> UnwindSafe for Receiver<T> {}
impl<T> RefUnwindSafe for Receiver<T> {}

impl<T> Receiver<T> {
    pub(super) fn new(channel: Arc<Channel<T>>) -> Self {
        Self { channel, backlog: Cell::default() }
    }

    /// Returns a message, if there is one. Never waits.
    ///
    /// This corresponds to [`std::sync::mpsc::Receiver::try_recv`].
    ///
    /// # Errors
    ///
    /// [`TryRecvError::Empty`] if there is no message now, [`TryRecvError::Disconnected`] if there
    /// is none and all senders are gone.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::sync::mpsc::{TryRecvError, channel};
    ///
    /// let (sender, receiver) = channel();
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    /// sender.send(1).unwrap();
    /// assert_eq!(receiver.try_recv(), Ok(1));
    /// drop(sender);
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
    /// ```
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        loop {
            if let Some(message) = self.next_of_backlog() {
                return Ok(message);
            }
            match self.channel.inbox().collect() {
                Mail::Some(messages) => self.backlog.set(messages),
                Mail::None => return Err(TryRecvError::Empty),
                Mail::NoMore => return Err(TryRecvError::Disconnected),
            }
        }
    }

    /// Waits for a message, parking the calling green thread (blocking an ordinary one).
    ///
    /// This corresponds to [`std::sync::mpsc::Receiver::recv`].
    ///
    /// # Errors
    ///
    /// If there is no message and all senders are gone.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::sync::mpsc::{RecvError, channel};
    /// use std_shim::thread;
    ///
    /// let (sender, receiver) = channel();
    /// thread::spawn(move || sender.send(1).unwrap());
    /// assert_eq!(receiver.recv(), Ok(1));
    /// // The last sender is gone.
    /// assert_eq!(receiver.recv(), Err(RecvError));
    /// ```
    #[inline]
    pub fn recv(&self) -> Result<T, RecvError> {
        loop {
            match self.try_recv() {
                Ok(message) => return Ok(message),
                Err(TryRecvError::Disconnected) => return Err(RecvError),
                Err(TryRecvError::Empty) => self.channel.inbox().wait_for_mail(),
            }
        }
    }

    /// Waits for a message, for `timeout` at most.
    ///
    /// A `timeout` that is too long for the clock has no end.
    ///
    /// Parks the calling green thread; from an ordinary thread, blocks it.
    ///
    /// This corresponds to [`std::sync::mpsc::Receiver::recv_timeout`].
    ///
    /// # Errors
    ///
    /// [`RecvTimeoutError::Timeout`] if no message came in time,
    /// [`RecvTimeoutError::Disconnected`] if there is none and all senders are gone.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::sync::mpsc::{self, RecvTimeoutError};
    /// use std_shim::time::Duration;
    ///
    /// let (sender, receiver) = mpsc::channel::<()>();
    /// let timeout = Duration::from_millis(1);
    /// assert_eq!(receiver.recv_timeout(timeout), Err(RecvTimeoutError::Timeout));
    /// drop(sender);
    /// assert_eq!(receiver.recv_timeout(timeout), Err(RecvTimeoutError::Disconnected));
    /// ```
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        let Some(deadline) = Instant::now().checked_add(timeout) else {
            return self.recv().map_err(|RecvError| RecvTimeoutError::Disconnected);
        };
        loop {
            match self.try_recv() {
                Ok(message) => return Ok(message),
                Err(TryRecvError::Disconnected) => return Err(RecvTimeoutError::Disconnected),
                Err(TryRecvError::Empty) => {
                    if !self.channel.inbox().wait_for_mail_until(deadline) {
                        return Err(RecvTimeoutError::Timeout);
                    }
                }
            }
        }
    }

    fn next_of_backlog(&self) -> Option<T> {
        let mut backlog = self.backlog.take();
        let message = backlog.pop();
        self.backlog.set(backlog);
        if message.is_some() {
            self.channel.took_one();
        }
        message
    }

    /// Returns an iterator that waits for each message, and ends when all senders are gone.
    ///
    /// This corresponds to [`std::sync::mpsc::Receiver::iter`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::sync::mpsc::channel;
    /// use std_shim::thread;
    ///
    /// let (sender, receiver) = channel();
    /// thread::spawn(move || (0..3).for_each(|n| sender.send(n).unwrap()));
    /// assert!(receiver.iter().eq(0..3));
    /// ```
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { rx: self }
    }

    /// Returns an iterator over the messages that are there, which never waits.
    ///
    /// This corresponds to [`std::sync::mpsc::Receiver::try_iter`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::sync::mpsc::channel;
    ///
    /// let (sender, receiver) = channel();
    /// sender.send(1).unwrap();
    /// sender.send(2).unwrap();
    /// // It ends where `recv` would wait.
    /// assert!(receiver.try_iter().eq([1, 2]));
    /// ```
    pub fn try_iter(&self) -> TryIter<'_, T> {
        TryIter { rx: self }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let backlog = self.backlog.take();
        let rest = self.channel.inbox().close();
        self.channel.dismiss_senders();
        // First come, first dropped; the senders know already.
        drop(backlog);
        drop(rest);
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}

/// An iterator that waits for each message; made by [`Receiver::iter`].
///
/// This corresponds to [`std::sync::mpsc::Iter`].
#[derive(Debug)]
pub struct Iter<'a, T: 'a> {
    rx: &'a Receiver<T>,
}

/// An iterator over the messages that are there; made by [`Receiver::try_iter`].
///
/// This corresponds to [`std::sync::mpsc::TryIter`].
#[derive(Debug)]
pub struct TryIter<'a, T: 'a> {
    rx: &'a Receiver<T>,
}

/// An iterator that waits for each message and owns the [`Receiver`].
///
/// This corresponds to [`std::sync::mpsc::IntoIter`].
#[derive(Debug)]
pub struct IntoIter<T> {
    rx: Receiver<T>,
}

impl<T> Iterator for Iter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.rx.recv().ok()
    }
}

impl<T> Iterator for TryIter<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.rx.try_recv().ok()
    }
}

impl<T> Iterator for IntoIter<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.rx.recv().ok()
    }
}

impl<'a, T> IntoIterator for &'a Receiver<T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<T> IntoIterator for Receiver<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        IntoIter { rx: self }
    }
}
