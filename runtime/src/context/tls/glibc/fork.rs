//! The block of the OS thread below a green thread that forks.
//!
//! In a child of a fork glibc takes each block but the caller's for one of a thread that is gone, and
//! its stack for one that the next thread may have. The caller's is the green thread's. But its OS thread
//! goes on in the child, and the kernel writes the number of the processor to its `rseq` area, which is on its
//! stack. So it is taken out of the list that glibc has put it in.
//!
//! Which block it is the number of the OS thread says (`homes`), which is another one in the child. So it
//! is asked before.

use std::cell::Cell;

use super::{Own, homes};

thread_local! {
    /// The thread pointer of the OS thread on which the calling thread forks; 0: not known.
    static HOME: Cell<usize> = const { Cell::new(0) };
}

impl Own {
    /// On a green thread's stack, before a fork.
    pub(crate) fn before_fork(&self) {
        // Not known where it is such a child itself: then it is in no list any more.
        HOME.set(homes::find().unwrap_or(0));
    }

    /// The same, in the child.
    pub(crate) fn after_fork(&self) {
        let home = HOME.get();
        if home == 0 {
            return;
        }
        let list = (home.wrapping_add_signed(self.pthread) + self.list) as *mut [*mut usize; 2];
        // SAFETY: the block of an OS thread of glibc's, which the fork has left in a list; this is the
        // one thread there is. A list is of pointers to the next and to the one before, in a circle.
        unsafe {
            let [next, before] = *list;
            before.write(next.addr());
            next.add(1).write(before.addr());
            *list = [list.cast(), list.cast()];
        }
    }
}
