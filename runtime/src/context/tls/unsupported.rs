//! No thread-locals of one's own here.

use std::convert::Infallible;
use std::io;

use crate::stack::Stack;

/// Cannot be had.
pub(crate) struct Own(Infallible);

impl Own {
    pub(crate) fn discover() -> io::Result<Self> {
        Err(super::unsupported("it needs Linux with glibc on x86-64 or aarch64"))
    }

    pub(crate) fn block_len(&self) -> usize {
        match self.0 {}
    }

    pub(crate) fn below_top(&self, _: isize) -> usize {
        match self.0 {}
    }

    pub(crate) fn number_at(&self) -> isize {
        match self.0 {}
    }

    pub(crate) fn prepare(&self, _: &mut Stack) -> usize {
        match self.0 {}
    }

    pub(crate) fn provide(&self, _: usize) -> io::Result<()> {
        match self.0 {}
    }

    pub(crate) unsafe fn forget(&self) {
        match self.0 {}
    }

    pub(crate) fn leave() {}

    pub(crate) fn home(&self) -> usize {
        match self.0 {}
    }

    pub(crate) fn start(&self) {
        match self.0 {}
    }

    pub(crate) fn before_fork(&self) {
        match self.0 {}
    }

    pub(crate) fn after_fork(&self) {
        match self.0 {}
    }

    pub(crate) fn finish(&self) {
        match self.0 {}
    }
}
