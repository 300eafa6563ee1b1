//! The inbox of a core: tasks that were woken, pushed by anybody, taken all at once by anybody.
//!
//! A green thread may lose its core to another worker at any moment while it runs. So what it does
//! to its core is this: push to a stack that does not care who owns the core.
//!
//! Taking everything with one swap leaves no room for the ABA problem of a stack that is popped one
//! by one: a pusher compares the head only in order to link to it.
//!
//! # Memory ordering
//!
//! A push releases the task; taking acquires it. The push is sequentially consistent, for the
//! protocol of sleeping in `idle`.

use std::ptr::{self, NonNull};

use crate::primitive::{AtomicPtr, Ordering};
use crate::task::list::List;
use crate::task::{Header, Runnable};

#[derive(Debug)]
pub(crate) struct Inbox {
    /// The youngest task, linked to older ones.
    head: AtomicPtr<Header>,
}

impl Inbox {
    pub(crate) fn new() -> Self {
        Self { head: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Pushes a task; whether the inbox was empty before.
    pub(crate) fn push(&self, task: Runnable) -> bool {
        let task = task.into_raw();
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            // SAFETY: the right to run the task, which this call was given, covers its link.
            unsafe { task.as_ref() }.next.store(head, Ordering::Relaxed);
            // Release pairs with the acquire in `take_all`; see `idle` for the rest.
            match self.head.compare_exchange_weak(
                head,
                task.as_ptr(),
                Ordering::SeqCst,
                Ordering::Relaxed,
            ) {
                Ok(_) => return head.is_null(),
                Err(now) => head = now,
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        // Sequentially consistent: see `idle`.
        self.head.load(Ordering::SeqCst).is_null()
    }

    /// Takes everything: the youngest task, and the older ones, oldest first.
    #[inline]
    pub(crate) fn take_all(&self) -> (Option<Runnable>, List) {
        let mut older = List::new();
        if self.head.load(Ordering::Relaxed).is_null() {
            return (None, older);
        }
        // Acquire pairs with the release in `push`.
        let mut at = self.head.swap(ptr::null_mut(), Ordering::Acquire);
        let mut youngest = None;
        while let Some(task) = NonNull::new(at) {
            // SAFETY: the swap made this thread the owner of every task that was in the stack.
            let task = unsafe {
                at = task.as_ref().next.load(Ordering::Relaxed);
                Runnable::from_raw(task)
            };
            match youngest {
                None => youngest = Some(task),
                Some(_) => older.push_front(task),
            }
        }
        (youngest, older)
    }
}
