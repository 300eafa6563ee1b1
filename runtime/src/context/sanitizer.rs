//! Tells AddressSanitizer of switches, with the feature `sanitizer`. Without it this is nothing.
//!
//! It wants to hear before a switch to which stack that goes, and behind it that it has come there. It keeps
//! something for a stack that is left, and wants it back when that is come to. And it says which stack was left: a
//! context keeps that of who has resumed it, to go back there.

#[cfg(feature = "sanitizer")]
mod hooks {
    use std::ptr;

    use crate::stack::Stack;

    unsafe extern "C" {
        fn __sanitizer_start_switch_fiber(kept: *mut *mut (), bottom: *const (), size: usize);
        fn __sanitizer_finish_switch_fiber(kept: *mut (), bottom: *mut *const (), size: *mut usize);
        fn __asan_unpoison_memory_region(start: *const (), size: usize);
    }

    /// Where a stack is.
    #[derive(Clone, Copy, Debug)]
    pub(in super::super) struct Bounds {
        bottom: *const (),
        size: usize,
    }

    impl Bounds {
        /// Until `come` has said more.
        pub(in super::super) const NONE: Self = Self { bottom: ptr::null(), size: 0 };

        pub(in super::super) fn of(stack: &Stack) -> Self {
            let bottom = stack.bottom();
            let size = stack.first_frame() - bottom;
            Self { bottom: ptr::with_exposed_provenance(bottom), size }
        }
    }

    /// What is kept for a stack that was left.
    pub(in super::super) struct Kept(*mut ());

    impl Kept {
        /// For one that begins.
        pub(in super::super) const NONE: Self = Self(ptr::null_mut());
    }

    /// A switch to this stack is next.
    pub(in super::super) fn go(to: Bounds) -> Kept {
        let mut kept = ptr::null_mut();
        // SAFETY: the stack is the one that is switched to.
        unsafe { __sanitizer_start_switch_fiber(&raw mut kept, to.bottom, to.size) };
        Kept(kept)
    }

    /// The same, from a stack that nobody comes back to.
    pub(in super::super) fn go_for_good(to: Bounds) {
        // SAFETY: as above; without a place nothing is kept.
        unsafe { __sanitizer_start_switch_fiber(ptr::null_mut(), to.bottom, to.size) };
    }

    /// The switch has come here; from where.
    pub(in super::super) fn come(kept: Kept) -> Bounds {
        let mut from = Bounds::NONE;
        // SAFETY: what was kept is this stack's.
        unsafe {
            __sanitizer_finish_switch_fiber(kept.0, &raw mut from.bottom, &raw mut from.size);
        }
        from
    }

    /// Nothing is left of what has run there.
    pub(in super::super) fn clear(it: Bounds) {
        // SAFETY: the stack is nobody's.
        unsafe { __asan_unpoison_memory_region(it.bottom, it.size) };
    }
}

#[cfg(not(feature = "sanitizer"))]
mod hooks {
    use crate::stack::Stack;

    #[derive(Clone, Copy, Debug)]
    pub(in super::super) struct Bounds;

    impl Bounds {
        pub(in super::super) const NONE: Self = Self;

        #[inline(always)]
        pub(in super::super) fn of(_: &Stack) -> Self {
            Self
        }
    }

    pub(in super::super) struct Kept;

    impl Kept {
        pub(in super::super) const NONE: Self = Self;
    }

    #[inline(always)]
    pub(in super::super) fn go(_: Bounds) -> Kept {
        Kept
    }

    #[inline(always)]
    pub(in super::super) fn go_for_good(_: Bounds) {}

    #[inline(always)]
    pub(in super::super) fn come(_: Kept) -> Bounds {
        Bounds
    }

    #[inline(always)]
    pub(in super::super) fn clear(_: Bounds) {}
}

pub(super) use hooks::{Bounds, Kept, clear, come, go, go_for_good};
