//! Where the layer of libc has a say in a thread's life: when it is made, and before it ends.

use std::sync::OnceLock;

use crate::context::tls;
use crate::current as running;
use crate::task::{Birth, Header};

static CONCEIVE: OnceLock<fn(&str) -> Option<Birth>> = OnceLock::new();

/// How a thread of this name is born, if that matters to anybody and it can be.
pub(super) fn conceive(name: &str) -> Option<Birth> {
    tls::own()?;
    CONCEIVE.get()?(name)
}

/// Has `conceive` called for each green thread that is going to have a name and thread-locals of its own,
/// by the thread that spawns it; what that returns is called on the new one, before anything else. The
/// first caller's stays.
///
/// It makes a thread known by its name to those who do not ask here.
pub fn conceive_by(conceive: fn(&str) -> Option<Birth>) {
    // Whoever was first is as good.
    let _ = CONCEIVE.set(conceive);
}

/// Runs the destructors of the calling thread's thread-locals now, if it is green, or was before it was bound: for
/// whoever has something to say that is to come after them. What is registered later runs when the thread ends.
/// An OS thread's are libc's to end.
pub fn end_locals() {
    let of_the_runtime = |task: &&Header| task.bottom.get() != 0;
    if running::green().or_else(running::bound).filter(of_the_runtime).is_some() {
        tls::finish();
    }
}
