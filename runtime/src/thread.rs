use std::any::Any;
use std::io;
use std::time::Instant;

/// Configures a green thread.
#[derive(Default)]
pub struct Builder {
    name: Option<String>,
    stack_size: Option<usize>,
}
impl Builder {
    pub fn new() -> Self {
        Self::default()
    }
    /// Panics, as std, if the name has an interior NUL (at spawn).
    pub fn name(mut self, name: String) -> Self {
        self.name = Some(name);
        self
    }
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }
    pub fn spawn<F, T>(self, f: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        unsafe { self.spawn_unchecked(f) }
    }
    /// # Safety
    /// The caller sees to it that the thread has ended before anything `F` or `T` borrows is gone.
    pub unsafe fn spawn_unchecked<F, T>(self, f: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + Send,
        T: Send,
    {
        let mut b = std::thread::Builder::new();
        if let Some(n) = self.name {
            b = b.name(n)
        }
        if let Some(s) = self.stack_size {
            b = b.stack_size(s)
        }
        let h = unsafe { b.spawn_unchecked(f)? };
        let thread = Thread(h.thread().clone());
        Ok(JoinHandle { h, thread })
    }
}

pub struct JoinHandle<T> {
    h: std::thread::JoinHandle<T>,
    thread: Thread,
}
impl<T> JoinHandle<T> {
    /// Parks until the thread has ended; its result, or what it panicked with.
    pub fn join(self) -> Result<T, Box<dyn Any + Send + 'static>> {
        self.h.join()
    }
    pub fn is_finished(&self) -> bool {
        self.h.is_finished()
    }
    pub fn thread(&self) -> &Thread {
        &self.thread
    }
}

/// Starts a green thread.
pub fn spawn<F, T>(f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    Builder::new().spawn(f).expect("failed to spawn thread")
}

/// A handle to a thread, green or not. Cheap to clone.
#[derive(Clone)]
pub struct Thread(std::thread::Thread);
impl Thread {
    pub fn id(&self) -> ThreadId {
        ThreadId(self.0.id())
    }
    pub fn name(&self) -> Option<&str> {
        self.0.name()
    }
    /// The thread's park token word, for `park`/`unpark` built on `wait`/`wake`: 0 at first, lives as long as any handle.
    pub fn unpark(&self) {
        self.0.unpark()
    }
}

/// A unique id; `Debug` prints `ThreadId(N)`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ThreadId(std::thread::ThreadId);
impl std::fmt::Debug for ThreadId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// The calling thread, green or not.
pub fn current() -> Thread {
    Thread(std::thread::current())
}
/// Whether the caller is a green thread.
pub fn is_green() -> bool {
    false
}
/// Parks until the caller's token is available, and takes it (std's `park`).
pub fn park() {
    std::thread::park()
}
/// `park` with a deadline.
pub fn park_until(deadline: Instant) {
    std::thread::park_timeout(deadline.saturating_duration_since(Instant::now()))
}
pub fn yield_now() {
    std::thread::yield_now()
}
pub fn sleep_until(deadline: Instant) {
    std::thread::sleep(deadline.saturating_duration_since(Instant::now()))
}
