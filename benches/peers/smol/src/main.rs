//! The same scenes on smol; a task per client.
//!
//! One executor for the process, run by as many threads as there are workers, `main` first: each
//! of them looks at the reactor too, so no thread stands beside the workers.

mod chat;
mod micro;
mod serve;

use std::future::{Future, pending};
use std::thread;

use smol::{Executor, block_on};

static EXECUTOR: Executor<'static> = Executor::new();

/// Starts a task.
pub(crate) fn spawn<T: Send + 'static>(
    task: impl Future<Output = T> + Send + 'static,
) -> smol::Task<T> {
    EXECUTOR.spawn(task)
}

/// Runs `task` as a task of the executor, as all others run, and waits for its end.
pub(crate) fn run<T: Send + 'static>(task: impl Future<Output = T> + Send + 'static) -> T {
    block_on(EXECUTOR.run(spawn(task)))
}

fn main() {
    let args = kit::Args::from_env();
    for _ in 1..args.workers() {
        thread::spawn(|| block_on(EXECUTOR.run(pending::<()>())));
    }
    match args.scene() {
        "echo-tcp" => serve::echo_tcp(&args),
        "echo-unix" => serve::echo_unix(&args),
        "echo-udp" => serve::echo_udp(&args),
        "http" => serve::http(&args),
        "chat" => chat::serve(),
        "yield" => micro::yields(&args),
        "spawn" => micro::spawn_and_join(&args),
        "batch" => micro::batch(&args),
        "channel" => micro::channel(&args),
        "mutex" => micro::mutex(&args),
        "lookup" => micro::lookup(&args),
        "file" => micro::file(&args),
        "sleepers" => micro::sleepers(&args),
        "cpu" => micro::cpu(&args),
        _ => kit::unsupported(),
    }
}
