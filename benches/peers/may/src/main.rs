//! The same scenes on `may`, whose API follows std's; a coroutine per client.
//!
//! `minihttp` is may_minihttp's own server with the same answer. Coroutines have may's default
//! stack (32 KiB); buffers are on the heap in every peer.

mod chat;
mod micro;
mod serve;

fn main() {
    let args = kit::Args::from_env();
    may::config().set_workers(args.workers());
    match args.scene() {
        "echo-tcp" => serve::echo_tcp(&args),
        "timeouts" => serve::echo_with_timeouts(&args),
        "echo-unix" => serve::echo_unix(&args),
        "echo-udp" => serve::echo_udp(&args),
        "http" => serve::http(&args),
        "minihttp" => serve::minihttp(),
        "chat" => chat::serve(),
        "yield" => micro::yields(&args),
        "spawn" => micro::spawn_and_join(&args),
        "batch" => micro::batch(&args),
        "channel" => micro::channel(&args),
        "mutex" => micro::mutex(&args),
        "condvar" => micro::condvar(&args),
        "park" => micro::park(&args),
        "timer" => micro::timer(&args),
        "sleepers" => micro::sleepers(&args),
        "file" => micro::file(&args),
        "cpu" => micro::cpu(&args),
        _ => kit::unsupported(),
    }
}
