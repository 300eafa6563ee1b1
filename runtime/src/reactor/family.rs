//! The descriptors of one file: they share its options.
//!
//! A *family* is a descriptor that this process has made, and its duplicates, each announced. What one of them
//! sets holds for all. Each entry has a copy of the options, so that most calls take no lock but the entry's.

use std::os::fd::RawFd;
use std::sync::Arc;

use super::options::Options;
use crate::lock::Lock;

/// The family of a descriptor; none if it is the only one that the runtime knows.
pub(super) struct Family(Option<Arc<Lock<Shared>>>);

struct Shared {
    options: Options,
    /// The numbers of its descriptors.
    members: Vec<RawFd>,
}

impl Family {
    pub(super) const NONE: Self = Self(None);

    pub(super) fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// In a child of a fork: the family of a descriptor whose entry in the parent has this one, and these
    /// options; and its options there.
    pub(super) fn inherit(&self, own: Options) -> (Self, Options) {
        match &self.0 {
            None => (Self::NONE, own.inherited()),
            Some(family) if family.is_free() => {
                let mut shared = family.lock();
                shared.options = shared.options.inherited();
                (Self(Some(Arc::clone(family))), shared.options)
            }
            Some(_) => (Self::NONE, Options::new()),
        }
    }

    /// The family of `duplicate`, which is being announced, when this is that of `original`, and these are its
    /// options.
    pub(super) fn join(&mut self, original: RawFd, duplicate: RawFd, options: Options) -> Self {
        let family = self.0.get_or_insert_with(|| {
            Arc::new(Lock::new(Shared { options, members: vec![original] }))
        });
        family.lock().members.push(duplicate);
        Self(Some(Arc::clone(family)))
    }

    /// The descriptor is about to be closed.
    pub(super) fn leave(&self, number: RawFd) {
        if let Some(family) = &self.0 {
            family.lock().members.retain(|member| *member != number);
        }
    }

    /// The numbers of the file's other descriptors, as far as the runtime knows them.
    pub(super) fn siblings(&self, number: RawFd) -> Vec<RawFd> {
        let others = |family: &Arc<Lock<Shared>>| {
            family.lock().members.iter().copied().filter(|member| *member != number).collect()
        };
        self.0.as_ref().map_or_else(Vec::new, others)
    }

    /// Looks at, or changes, the options of a descriptor, which are those of its file: its siblings are to take
    /// them.
    pub(super) fn with<T>(&self, own: &mut Options, f: impl FnOnce(&mut Options) -> T) -> T {
        match &self.0 {
            None => f(own),
            Some(family) => {
                let shared = &mut family.lock().options;
                let result = f(shared);
                *own = *shared;
                result
            }
        }
    }
}
