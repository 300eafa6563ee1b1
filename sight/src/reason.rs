//! Why a green thread waits.

macro_rules! reasons {
    ($($(#[$about:meta])* $name:ident = $text:literal,)+) => {
        /// What a parked thread waits for, as a dump shows it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum Reason {
            $($(#[$about])* $name,)+
        }

        impl Reason {
            /// All of them, each at its number.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// What people call it.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

reasons! {
    /// A word of memory, for a reason that the caller does not tell.
    Futex = "futex",
    /// A deadline.
    Sleep = "sleep",
    /// `unpark`.
    Park = "park",
    /// The end of another thread.
    Join = "join",
    /// The threads of a scope.
    Scope = "scope",
    /// A mutex.
    Mutex = "mutex",
    /// A condition variable.
    Condvar = "condvar",
    /// A reader-writer lock.
    RwLock = "rwlock",
    /// An initialization that another thread has begun.
    Once = "once",
    /// A barrier.
    Barrier = "barrier",
    /// A message, or room for one.
    Channel = "channel",
    /// A descriptor with something to read.
    Read = "read",
    /// A descriptor with room to write.
    Write = "write",
    /// A call that blocks, made by another OS thread.
    Blocking = "blocking",
    /// A semaphore.
    Semaphore = "semaphore",
    /// A signal.
    Signal = "signal",
    /// One of several descriptors, or one that is only asked about.
    Poll = "poll",
    /// Room in a channel, or its receiver.
    Send = "send",
    /// The start of another thread.
    Start = "start",
    /// The others who use what is to be destroyed.
    Destroy = "destroy",
    /// A place among those who make a call that blocks.
    Turn = "turn",
    /// Another thread, whose call asks the same.
    Answer = "answer",
    /// In a blocking section: what looks up a name.
    LookUp = "look-up",
    /// In a blocking section: what starts a child.
    Child = "child",
}

impl Reason {
    /// Whether something may end the wait that no green thread does.
    #[must_use]
    pub const fn is_event(self) -> bool {
        use Reason::{Answer, Blocking, Poll, Read, Signal, Sleep, Turn, Write};
        matches!(self, Sleep | Read | Write | Poll | Signal | Blocking | Turn | Answer)
            || self.is_section()
    }

    /// Whether it is said of a thread that is in a blocking section, and not of one that is parked.
    #[must_use]
    pub const fn is_section(self) -> bool {
        matches!(self, Self::LookUp | Self::Child)
    }

    /// The one of this number.
    #[must_use]
    pub fn of(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_found_by_its_number() {
        for reason in Reason::ALL {
            assert_eq!(Reason::of(*reason as u8), Some(*reason));
        }
        assert_eq!(Reason::of(Reason::ALL.len() as u8), None);
    }
}
