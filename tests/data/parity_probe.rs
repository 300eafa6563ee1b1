//! The head of the program that `parity_support/compiler.rs` writes: what its lines have in scope,
//! those about std and those about the mirror alike.

#![allow(dead_code, drop_bounds, non_camel_case_types, trivial_bounds, unconditional_recursion)]
#![allow(unreachable_code, unsafe_op_in_unsafe_fn, unused_assignments, unused_imports)]
#![allow(unused_mut, unused_variables)]
#![warn(deprecated, unused_must_use)]

use std::borrow::{Borrow, Cow};
use std::cell::Cell;
use std::collections::{TryReserveError, VecDeque};
use std::convert::Infallible;
use std::error::Error;
use std::ffi::{CStr, CString, NulError, OsStr, OsString};
use std::fmt::{self, Debug, Display, Pointer};
use std::fs::TryLockError;
use std::hash::Hash;
use std::io::{BufRead, Read, Seek, SeekFrom, Write};
use std::iter::{FusedIterator, Sum};
use std::marker::PhantomData;
use std::ops::*;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{ExitCode, Termination};
use std::rc::Rc;
use std::str::FromStr;
use std::sync::Arc;
use std::task::{RawWaker, Wake, Waker};
use std::{io, net, vec};

/// Stands for a type parameter, and fulfils what the implementations in the list ask of theirs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Anything;

type B = Anything;
type E = Anything;
type F = fn() -> Anything;
type I = net::IpAddr;
type R = Anything;
type S = Anything;
type T = Anything;
type U = Anything;
type W = Anything;
const N: usize = 3;

/// Stands for a type parameter, and fulfils nothing, not even the auto traits.
struct Nothing(*const dyn Fn(), std::marker::PhantomPinned);

/// As `Nothing`, and not even `Sized`.
struct Slack(Nothing, [Nothing]);

/// A value of any type, to call functions with.
const fn any<T>() -> T {
    loop {}
}

fn touch<T>(_: &mut T) {}

/// May be shared, and not sent.
struct SyncOnly(*const u8);

// SAFETY: there is no way to use the pointer.
unsafe impl Sync for SyncOnly {}

impl Display for Anything {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        unimplemented!()
    }
}

impl Error for Anything {}

impl Read for Anything {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        unimplemented!()
    }
}

impl BufRead for Anything {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        unimplemented!()
    }

    fn consume(&mut self, _: usize) {}
}

impl Write for Anything {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        unimplemented!()
    }

    fn flush(&mut self) -> io::Result<()> {
        unimplemented!()
    }
}

impl Seek for Anything {
    fn seek(&mut self, _: SeekFrom) -> io::Result<u64> {
        unimplemented!()
    }
}

impl AsFd for Anything {
    fn as_fd(&self) -> BorrowedFd<'_> {
        unimplemented!()
    }
}

impl AsRawFd for Anything {
    fn as_raw_fd(&self) -> RawFd {
        unimplemented!()
    }
}

impl AsRef<[u8]> for Anything {
    fn as_ref(&self) -> &[u8] {
        unimplemented!()
    }
}

impl From<&Anything> for Arc<Anything> {
    fn from(_: &Anything) -> Arc<Anything> {
        unimplemented!()
    }
}

impl AsRef<OsStr> for Anything {
    fn as_ref(&self) -> &OsStr {
        unimplemented!()
    }
}

impl AsRef<Path> for Anything {
    fn as_ref(&self) -> &Path {
        unimplemented!()
    }
}

impl Termination for Anything {
    fn report(self) -> ExitCode {
        unimplemented!()
    }
}

impl Wake for Anything {
    fn wake(self: Arc<Self>) {}
}

fn main() {}
