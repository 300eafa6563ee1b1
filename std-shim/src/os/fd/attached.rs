//! The way of a descriptor into the runtime's care and out of it again.
//!
//! Each type of the mirror that owns a descriptor is a newtype over the type of std's that owns
//! it, with an [`Attached`] between the two. The runtime keeps what it knows of a descriptor in a
//! table by number, so a number may stand for another open file only after the runtime was told:
//!
//! 1. *In*: [`Attached::fresh`], [`Attached::accepted`] or [`Attached::adopted`] announces the
//!    descriptor.
//! 2. *Doubled*: [`Attached::try_clone`] says that both sides share flags and timeouts from now on.
//! 3. *Lent*: [`Attached::lend`] gives the program the number. It is that of a plain blocking
//!    descriptor from then on, and what the program sets by it counts.
//! 4. *Out*: [`Attached::into_inner`] takes it back before anybody else has it, a plain blocking
//!    descriptor, too. The drop says that the number is going to be closed.
//!
//! The mirror itself does not lend: it reaches the descriptor through the type of std's.

use std::io;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd};
use std::ptr;

use crate::bridge::{Origin, detach, io as runtime};

/// A type of std's that owns a descriptor, while the runtime knows that descriptor.
pub(crate) struct Attached<T: AsFd>(T);

impl<T: AsFd> Attached<T> {
    /// Takes in a descriptor that this process made just now.
    pub(crate) fn fresh(inner: T) -> Self {
        Self::new(inner, Origin::Fresh)
    }

    /// Takes in a descriptor from elsewhere, of which nothing is known.
    pub(crate) fn adopted(inner: T) -> Self {
        Self::new(inner, Origin::Adopted)
    }

    fn new(inner: T, origin: Origin) -> Self {
        runtime::attach(inner.as_fd(), origin);
        Self(inner)
    }

    /// Takes in what this listener has accepted just now.
    pub(crate) fn accepted<S: AsFd>(&self, inner: S) -> Attached<S> {
        runtime::attach_accepted(inner.as_fd(), self.0.as_fd());
        Attached(inner)
    }

    /// Takes in what `duplicate` makes of this descriptor.
    pub(crate) fn try_clone(
        &self,
        duplicate: impl FnOnce(&T) -> io::Result<T>,
    ) -> io::Result<Self> {
        let inner = duplicate(&self.0)?;
        runtime::attach_duplicate(inner.as_fd(), self.0.as_fd());
        Ok(Self(inner))
    }

    /// Calls `f` with that descriptor, as one of std's type.
    pub(crate) fn at<R>(fd: BorrowedFd<'_>, f: impl FnOnce(&T) -> R) -> R
    where
        T: FromRawFd,
    {
        // SAFETY: as good as owned, since it is never dropped and does not outlive the borrow.
        let view = ManuallyDrop::new(unsafe { T::from_raw_fd(fd.as_raw_fd()) });
        f(&view)
    }

    /// Gives the program the descriptor's number.
    pub(crate) fn lend(&self) -> BorrowedFd<'_> {
        runtime::lend(self.0.as_fd());
        self.0.as_fd()
    }

    /// Gives the descriptor out of the runtime's care.
    pub(crate) fn into_inner(self) -> T {
        runtime::release(self.lend());
        let this = ManuallyDrop::new(self);
        // SAFETY: `this` is neither used nor dropped after this, so the value is moved out once.
        unsafe { ptr::read(&this.0) }
    }
}

impl<T: AsFd> Deref for Attached<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: AsFd> Drop for Attached<T> {
    fn drop(&mut self) {
        detach(self.0.as_fd());
    }
}
