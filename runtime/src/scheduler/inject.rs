//! The queue that all cores share: what comes from outside, what no core has room for, and what a
//! worker without a core leaves behind.

use std::mem::offset_of;

use crate::lock::Lock;
use crate::primitive::{AtomicUsize, Ordering};
use crate::task::Runnable;
use crate::task::list::List;

pub(crate) struct Inject {
    tasks: Lock<List>,
    /// Lets cores look without the lock. Sequentially consistent: see `idle`.
    len: AtomicUsize,
}

impl Inject {
    /// Where the list is.
    pub(crate) const LIST_AT: usize = offset_of!(Self, tasks) + Lock::<List>::VALUE_AT;

    pub(crate) fn new() -> Self {
        Self { tasks: Lock::new(List::new()), len: AtomicUsize::new(0) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len.load(Ordering::SeqCst) == 0
    }

    pub(crate) fn push(&self, task: Runnable) {
        let mut tasks = self.tasks.lock();
        tasks.push_back(task);
        self.len.store(tasks.len(), Ordering::SeqCst);
    }

    pub(crate) fn push_all(&self, more: &mut List) {
        let mut tasks = self.tasks.lock();
        tasks.append(more);
        self.len.store(tasks.len(), Ordering::SeqCst);
    }

    /// Takes a fair share of what is there, for one of `n_cores`: one task at least.
    pub(crate) fn take_share(&self, n_cores: usize, most: usize) -> List {
        let mut share = List::new();
        if self.is_empty() {
            return share;
        }
        let mut tasks = self.tasks.lock();
        let n = (tasks.len() / n_cores + 1).min(most);
        while share.len() < n
            && let Some(task) = tasks.pop_front()
        {
            share.push_back(task);
        }
        self.len.store(tasks.len(), Ordering::SeqCst);
        share
    }
}
