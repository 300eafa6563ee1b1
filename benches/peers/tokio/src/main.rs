//! The same scenes on tokio; a task per client.
//!
//! `flavor=local` runs everything on the current thread, otherwise `workers` threads share it.

mod beside;
mod chat;
mod micro;
mod serve;

use std::future::Future;
use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};

/// The runtime of this process.
#[derive(Clone, Debug)]
pub(crate) struct Executor(Arc<Runtime>);

impl Executor {
    fn new(args: &kit::Args) -> Executor {
        let mut builder = match args.text("flavor") {
            Some("local") => Builder::new_current_thread(),
            _ => Builder::new_multi_thread(),
        };
        let runtime = builder.worker_threads(args.workers()).enable_all().build();
        Executor(Arc::new(runtime.expect("a runtime")))
    }

    /// Runs `task` as a task of a worker, as all others run, and waits for its end.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> T {
        self.0.block_on(async { tokio::spawn(task).await.expect("a scene does not panic") })
    }
}

fn main() {
    let args = kit::Args::from_env();
    let executor = Executor::new(&args);
    match args.scene() {
        "echo-tcp" => serve::echo_tcp(&executor, &args),
        "timeouts" => serve::echo_with_timeouts(&executor, &args),
        "echo-unix" => serve::echo_unix(&executor, &args),
        "echo-udp" => serve::echo_udp(&executor, &args),
        "http" => serve::http(&executor, &args),
        "chat" => chat::serve(&executor),
        "yield" => micro::yields(&executor, &args),
        "spawn" => micro::spawn_and_join(&executor, &args),
        "batch" => micro::batch(&executor, &args),
        "channel" => micro::channel(&executor, &args),
        "mutex" => micro::mutex(&executor, &args),
        "park" => micro::park(&executor, &args),
        "timer" => micro::timer(&executor, &args),
        "lookup" => micro::lookup(&executor, &args),
        "file" => micro::file(&executor, &args),
        "sleepers" => micro::sleepers(&executor, &args),
        "beside" => beside::beside(&executor, &args),
        "fork-join" => beside::fork_join(&executor, &args),
        "cpu" => micro::cpu(&executor, &args),
        _ => kit::unsupported(),
    }
}
