//! What the handles of a channel share, and the rules of sending.

use std::sync::atomic::Ordering::{AcqRel, Relaxed};

use super::TrySendError;
use super::gate::Gate;
use super::inbox::{Inbox, Refusal};
use super::primitive::{Arc, AtomicUsize};

/// What a sender waits for besides putting its message in.
enum Bound {
    /// Nothing.
    None,
    /// Room for the message.
    Room(Gate),
    /// The receiver's taking it.
    Receipt,
}

/// A channel, as its handles share it. Those who look from outside find the number of senders behind the inbox.
#[repr(C)]
pub(super) struct Channel<T> {
    inbox: Inbox<T>,
    /// How many `Tx` there are.
    pub(super) senders: AtomicUsize,
    bound: Bound,
}

/// Creates a channel without bound; its first `Tx` is to be made by the caller.
pub(super) fn unbounded<T>() -> Arc<Channel<T>> {
    Channel::new(Bound::None)
}

/// Creates a channel for `bound` messages; its first `Tx` is to be made by the caller.
pub(super) fn bounded<T>(bound: usize) -> Arc<Channel<T>> {
    Channel::new(if bound == 0 { Bound::Receipt } else { Bound::Room(Gate::new(bound)) })
}

impl<T> Channel<T> {
    fn new(bound: Bound) -> Arc<Self> {
        Arc::new(Self { inbox: Inbox::new(), senders: AtomicUsize::new(0), bound })
    }

    pub(super) fn inbox(&self) -> &Inbox<T> {
        &self.inbox
    }

    /// Says that a message has been taken out of the inbox's backlog. The receiver's.
    pub(super) fn took_one(&self) {
        if let Bound::Room(gate) = &self.bound {
            gate.leave();
        }
    }

    /// Lets in the senders that wait for room, to find the inbox closed. The receiver's.
    pub(super) fn dismiss_senders(&self) {
        if let Bound::Room(gate) = &self.bound {
            gate.open();
        }
    }
}

/// A sender's share in a channel; the drop of the last one hangs up.
pub(super) struct Tx<T> {
    channel: Arc<Channel<T>>,
}

impl<T> Tx<T> {
    pub(super) fn new(channel: Arc<Channel<T>>) -> Self {
        channel.senders.fetch_add(1, Relaxed);
        Self { channel }
    }

    /// Sends, waiting as long as the bound demands; gives the message back if nobody can read it.
    pub(super) fn send(&self, message: T) -> Result<(), T> {
        let Channel { inbox, bound, .. } = &*self.channel;
        let sent = match bound {
            Bound::None => inbox.put(message),
            Bound::Room(gate) => {
                gate.enter();
                inbox.put(message)
            }
            Bound::Receipt => inbox.deliver(message),
        };
        sent.map_err(|refusal| match refusal {
            Refusal::Busy(message) | Refusal::Closed(message) => message,
        })
    }

    /// Sends if that needs no waiting.
    pub(super) fn try_send(&self, message: T) -> Result<(), TrySendError<T>> {
        let Channel { inbox, bound, .. } = &*self.channel;
        let sent = match bound {
            Bound::None => inbox.put(message),
            Bound::Room(gate) if gate.try_enter() => inbox.put(message),
            Bound::Room(_) if inbox.is_closed() => Err(Refusal::Closed(message)),
            Bound::Room(_) => Err(Refusal::Busy(message)),
            Bound::Receipt => inbox.put_if_awaited(message),
        };
        sent.map_err(|refusal| match refusal {
            Refusal::Busy(message) => TrySendError::Full(message),
            Refusal::Closed(message) => TrySendError::Disconnected(message),
        })
    }
}

impl<T> Clone for Tx<T> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.channel))
    }
}

impl<T> Drop for Tx<T> {
    fn drop(&mut self) {
        // Releases what this sender has put in and acquires what all others have, so that the last
        // one hangs up after all of it.
        if self.channel.senders.fetch_sub(1, AcqRel) == 1 {
            self.channel.inbox.hang_up();
        }
    }
}
