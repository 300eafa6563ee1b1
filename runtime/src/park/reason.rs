//! Why a green thread waits.

/// What a parked thread waits for, as a dump shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[repr(u8)]
pub enum WaitReason {
    /// A word of memory, for a reason that the caller does not tell.
    Futex,
    /// A deadline.
    Sleep,
    /// `unpark`.
    Park,
    /// The end of another thread.
    Join,
    /// The threads of a scope.
    Scope,
    /// A mutex.
    Mutex,
    /// A condition variable.
    Condvar,
    /// A reader-writer lock.
    RwLock,
    /// An initialization that another thread has begun.
    Once,
    /// A barrier.
    Barrier,
    /// A message, or room for one.
    Channel,
    /// A descriptor with something to read.
    Read,
    /// A descriptor with room to write.
    Write,
    /// A core, after a blocking section.
    Blocking,
}
