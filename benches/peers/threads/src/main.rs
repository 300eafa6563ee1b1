//! A thread per client, in plain std.
//!
//! `peer-threads` builds these files on std: each thread is an OS thread. `peer-shim` builds the
//! same files with `std` renamed to std-shim in its `Cargo.toml`: each thread is green. No line
//! knows which of the two it is in.

mod beside;
mod chat;
mod compute;
mod micro;
mod serve;

fn main() {
    let args = kit::Args::from_env();
    match args.scene() {
        "echo-tcp" => serve::echo_tcp(&args, None),
        "timeouts" => serve::echo_tcp(&args, Some(kit::TIMEOUT)),
        "echo-unix" => serve::echo_unix(&args),
        "echo-udp" => serve::echo_udp(&args),
        "http" => serve::http(&args),
        "chat" => chat::serve(),
        "yield" => micro::yields(&args),
        "spawn" => micro::spawn_and_join(&args),
        "batch" => micro::batch(&args),
        "channel" => micro::channel(&args),
        "mutex" => micro::mutex(&args),
        "condvar" => micro::condvar(&args),
        "park" => micro::park(&args),
        "timer" => micro::timer(&args),
        "lookup" => micro::lookup(&args),
        "file" => micro::file(&args),
        "sleepers" => compute::sleepers(&args),
        "beside" => beside::beside(&args),
        "fork-join" => beside::fork_join(&args),
        "cpu" => compute::cpu(&args),
        _ => kit::unsupported(),
    }
}
