//! The names and types of `rustix::event::kqueue`, as far as the backend uses them.

use std::ffi::c_void;
use std::os::fd::RawFd;

use rustix::process::Pid;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EventFlags(u16);

impl EventFlags {
    pub(crate) const ADD: Self = Self(0x1);
    pub(crate) const DELETE: Self = Self(0x2);
    pub(crate) const ONESHOT: Self = Self(0x10);
    pub(crate) const CLEAR: Self = Self(0x20);
    pub(crate) const ERROR: Self = Self(0x4000);
    pub(crate) const EOF: Self = Self(0x8000);
    /// macOS alone has it.
    pub(super) const OOBAND: Self = Self(0x2000);

    pub(crate) const fn empty() -> Self {
        Self(0)
    }

    pub(crate) const fn from_bits_retain(bits: u16) -> Self {
        Self(bits)
    }

    pub(crate) const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl std::ops::BitOr for EventFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UserFlags(u32);

impl UserFlags {
    pub(crate) const NOINPUT: Self = Self(0);
    pub(crate) const TRIGGER: Self = Self(0x0100_0000);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UserDefinedFlags(u32);

impl UserDefinedFlags {
    pub(crate) fn new(flags: u32) -> Self {
        Self(flags)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProcessEvents(u32);

impl ProcessEvents {
    pub(crate) const EXIT: Self = Self(0x8000_0000);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventFilter {
    Read(RawFd),
    Write(RawFd),
    Proc { pid: Pid, flags: ProcessEvents },
    User { ident: isize, flags: UserFlags, user_flags: UserDefinedFlags },
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    filter: EventFilter,
    flags: EventFlags,
    udata: *mut c_void,
}

impl Event {
    pub(crate) fn new(filter: EventFilter, flags: EventFlags, udata: *mut c_void) -> Self {
        Self { filter, flags, udata }
    }

    pub(crate) fn flags(&self) -> EventFlags {
        self.flags
    }

    pub(crate) fn udata(&self) -> *mut c_void {
        self.udata
    }

    pub(crate) fn filter(&self) -> EventFilter {
        self.filter
    }
}
