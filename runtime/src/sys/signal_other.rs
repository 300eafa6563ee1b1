//! The signal mask that the kernel has for an OS thread: left as it is. Here nobody tells the runtime of
//! a thread that changes its own.

/// Blocks nothing.
pub(crate) const ALL: u64 = 0;

/// What a thread wears that is nobody's at the moment.
pub(crate) fn cover() -> u64 {
    ALL
}

/// What the kernel lets nobody block.
pub(crate) const NEVER: u64 = 1 << 63;

/// The mask of the calling OS thread: none is known.
pub(crate) fn mask() -> u64 {
    ALL
}

/// Sets the mask of the calling OS thread: there is but one.
pub(crate) fn set_mask(_: u64) {}

/// Blocks nothing; what the mask was.
pub(crate) fn block(_: u64) -> u64 {
    ALL
}
