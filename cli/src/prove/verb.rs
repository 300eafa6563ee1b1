//! `sylvan prove`: from the command line to the verdict.

use std::ffi::OsString;
use std::num::NonZero;
use std::process::{ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::{Clients, Report, Traced, Verdict, allow_open_files};
use crate::{complain, not_understood, print, told, unexpected};

const HELP: &str = "\
Runs a program under the system call tracer and says whether it is an event loop.

usage: sylvan prove [options] -- PROGRAM ARGS...

  --seconds N            how long to watch it (default 5)
  --clients N ADDRESS    connect N echo clients, which send a message each second
                         and compare what comes back
  --help                 this text

The exit status is 0 for an event loop, 1 for anything else, 2 where nothing can be said: where
clients are asked for and the program ends before them, too.

On Linux it runs `strace -f -y -ttt -T -o FILE PROGRAM ARGS...`. To see for yourself:

  strace -f PROGRAM ARGS... 2>&1 | grep -E 'epoll|EAGAIN|clone|recvfrom|accept'

On macOS it runs `dtruss -f -d -e PROGRAM ARGS...`, which wants root, and system integrity
protection off for dtrace (`csrutil enable --without dtrace`, from the recovery system).
To see for yourself:

  sudo dtruss -f PROGRAM ARGS... 2>&1 | grep -E 'kevent|Err#35|bsdthread_create|recvfrom|accept'

There a call shows when it ends, so that a thread that still waits for its client shows nothing;
the threads started (`bsdthread_create`) tell the two kinds of program apart.
";

struct Options {
    seconds: u64,
    clients: Option<(usize, String)>,
    program: OsString,
    args: Vec<OsString>,
}

/// Runs a program and says whether it is an event loop, given the arguments behind the verb.
pub fn main(args: Vec<OsString>) -> ExitCode {
    let options = match parse(args.into_iter()) {
        Ok(Some(options)) => options,
        Ok(None) => {
            return told(HELP);
        }
        Err(error) => return not_understood(&error, "sylvan prove --help"),
    };
    match prove(&options) {
        Ok(Verdict::EventLoop) => ExitCode::SUCCESS,
        Ok(Verdict::OsThreads(_)) => ExitCode::from(1),
        Ok(Verdict::NothingSeen) => ExitCode::from(2),
        Err(error) => cannot_say(&error.to_string()),
    }
}

fn cannot_say(error: &str) -> ExitCode {
    complain(&format!("error: {error}"));
    ExitCode::from(2)
}

fn parse(mut args: impl Iterator<Item = OsString>) -> Result<Option<Options>, String> {
    let mut options = Options { seconds: 5, clients: None, program: OsString::new(), args: vec![] };
    let text = |arg: OsString| arg.to_string_lossy().into_owned();
    loop {
        match args.next().map(text).as_deref() {
            Some("--seconds") => options.seconds = number("--seconds", args.next().map(text))?,
            Some("--clients") => {
                let n = number("--clients", args.next().map(text))?;
                let address = args.next().map(text);
                let address = address.ok_or("`--clients` expected an address after N")?;
                options.clients = Some((n, address));
            }
            Some("--help" | "-h") => return Ok(None),
            Some("--") => break,
            Some(other) => return Err(unexpected(other.as_ref())),
            None => return Err("expected `--` and a program".to_owned()),
        }
    }
    options.program = args.next().ok_or("expected a program after `--`")?;
    options.args = args.collect();
    Ok(Some(options))
}

fn number<T: std::str::FromStr>(option: &str, text: Option<String>) -> Result<T, String> {
    let text = text.unwrap_or_default();
    text.parse().map_err(|_| format!("`{option}` expected a number, got `{text}`"))
}

fn prove(options: &Options) -> Result<Verdict, Box<dyn std::error::Error>> {
    if let Some((n, _)) = options.clients {
        allow_open_files(n)?;
    }
    let mut traced = Traced::start(&options.program, &options.args, Stdio::inherit())?;
    let time = Duration::from_secs(options.seconds);
    let mut ended = None;
    let clients = match &options.clients {
        Some((n, address)) => serve(&mut traced, address, *n, time).map(Some),
        None => traced.ended_within(time).map(|by_itself| {
            ended = by_itself;
            None
        }),
    };
    // The clients are still connected when the program is stopped, so their threads are in the
    // trace as they wait.
    let trace = traced.stop()?;
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let report = Report::new(&trace, processors);
    let ended = ended.map_or(String::new(), |ended| format!("{:<13} {ended}\n", "end"));
    let load = match &clients {
        Ok(Some(clients)) => format!("{:<13} {clients}\n", "load"),
        _ => String::new(),
    };
    print(&format!("{ended}{load}{report}"))?;
    clients?;
    Ok(report.verdict())
}

/// Connects the clients and has them send once a second until the time is over. Where the program has ended
/// by itself the answers were somebody else's, whose address it is.
fn serve(traced: &mut Traced, address: &str, n: usize, time: Duration) -> std::io::Result<Clients> {
    let mut is_there = || match traced.ended_within(Duration::ZERO)? {
        Some(ended) => Err(std::io::Error::other(ended)),
        None => Ok(()),
    };
    let connected = Clients::connect_while(address, n, &mut is_there);
    is_there()?;
    let mut clients = connected?;
    let end = Instant::now() + time;
    while Instant::now() < end {
        thread::sleep(Duration::from_secs(1));
        let round = clients.round();
        is_there()?;
        round?;
    }
    Ok(clients)
}
