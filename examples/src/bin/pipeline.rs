//! A pipeline: 1,000 pictures are downloaded, resized and uploaded, by 3, 4 and 5 threads.
//!
//! Queues join the stages. Each can be closed: its takers get what is left, and then `None`. So the
//! end of the input runs through the pipeline by itself. The network is a short sleep.
//!
//! ```text
//! cargo run --release --bin pipeline
//! ```
//!
//! Every picture arrives, once:
//!
//! ```text
//! 1000 pictures uploaded, 32000 bytes, ids add up to 499500
//! ```

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::Duration;

const N_PICTURES: usize = 1_000;

struct Picture {
    id: usize,
    pixels: Vec<u8>,
}

struct Uploaded {
    id: usize,
    n_bytes: usize,
}

fn main() {
    let to_download = Queue::default();
    let to_resize = Queue::default();
    let to_upload = Queue::default();
    let done = Queue::default();
    thread::scope(|scope| {
        scope.spawn(|| stage(3, download, &to_download, &to_resize));
        scope.spawn(|| stage(4, resize, &to_resize, &to_upload));
        scope.spawn(|| stage(5, upload, &to_upload, &done));
        for id in 0..N_PICTURES {
            to_download.put(id);
        }
        to_download.close();

        let (mut n_pictures, mut n_bytes, mut ids) = (0, 0, 0);
        while let Some(uploaded) = done.take() {
            n_pictures += 1;
            n_bytes += uploaded.n_bytes;
            ids += uploaded.id;
        }
        println!("{n_pictures} pictures uploaded, {n_bytes} bytes, ids add up to {ids}");
    });
}

fn download(id: usize) -> Picture {
    thread::sleep(Duration::from_millis(1));
    Picture { id, pixels: vec![id as u8; 64] }
}

fn resize(picture: Picture) -> Picture {
    let pixels = picture.pixels.into_iter().step_by(2).collect();
    Picture { id: picture.id, pixels }
}

fn upload(picture: Picture) -> Uploaded {
    thread::sleep(Duration::from_millis(1));
    Uploaded { id: picture.id, n_bytes: picture.pixels.len() }
}

/// Lets `n_threads` work from one queue to the next until the first is closed, then closes the other.
fn stage<A: Send, B: Send>(n_threads: usize, work: fn(A) -> B, from: &Queue<A>, to: &Queue<B>) {
    thread::scope(|scope| {
        for _ in 0..n_threads {
            scope.spawn(|| {
                while let Some(item) = from.take() {
                    to.put(work(item));
                }
            });
        }
    });
    to.close();
}

/// A queue for any number of threads on both ends, which can be closed.
struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    items: VecDeque<T>,
    closed: bool,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        let state = State { items: VecDeque::new(), closed: false };
        Queue { state: Mutex::new(state), changed: Condvar::new() }
    }
}

impl<T> Queue<T> {
    fn put(&self, item: T) {
        let mut state = self.state.lock().unwrap();
        assert!(!state.closed, "put into a closed queue");
        state.items.push_back(item);
        self.changed.notify_one();
    }

    /// Waits for an item; `None` when the queue is closed and empty.
    fn take(&self) -> Option<T> {
        let state = self.state.lock().unwrap();
        let mut state = self
            .changed
            .wait_while(state, |state| state.items.is_empty() && !state.closed)
            .unwrap();
        state.items.pop_front()
    }

    fn close(&self) {
        self.state.lock().unwrap().closed = true;
        self.changed.notify_all();
    }
}
