//! `sylvan dump`: all that is known of the green threads of a process, as JSON.

use std::ffi::OsString;
use std::process::ExitCode;

use sylvan_sight::Who;
use sylvan_sight::account::{Account, Row};
use sylvan_sight::deadlock::{Deadlocks, Edge, Orphan};
use sylvan_sight::details::Detail;
use sylvan_sight::owners::Owner;

use crate::json::{list, or_null, text};
use crate::see::{self, Process, Refusal};

const HELP: &str = "\
Writes what is known of the green threads of a process, as JSON.

usage: sylvan dump PID
       sylvan dump --core FILE PROGRAM

It is an object of `version` (1), `process`, and `runtimes`, most often one, each with

  object      the file that has the runtime
  workers     `core`, `os_thread` (or null), `state` (`running`, `blocking` or null)
  threads     `id`, `name` (or null), `state` (`not started`, `running`, `blocking`,
              `bound`, `runnable`, `parked`), `core`, `os_thread`, `stack` (its lowest
              address and the one behind its highest), `stack_pointer`, and `waits`:
              null, or `reason`, `descriptors`, `file`, `address`, `owner` (the number
              of who has the lock, where SYLVAN_DEADLOCK has it noted), `owner_ended`
              (whether that one has ended), `holders` (the numbers of those who most
              likely have the lock, of many the first), `n_holders` (how many these
              are), `senders` (how many, of a channel that a
              receiver waits for), `joins` (a number), `scope` (the numbers of
              threads that a scope most likely waits for), `in_scope` (how many it
              waits for), `left_s`,
              and `words`, what `sylvan ps` says; `waited_s`, for how long it has been
              parked or runnable, or has waited for a lock; and `call`, in a blocking
              section the call of the kernel that it is in
  deadlocks   the numbers of threads that wait for each other in a circle, or one that
              waits for itself
  orphans     locks whose owner has ended: `address`, `owner` (null where a lock
              of libc's does not say which thread that was), `waiters`

A thread is called by its number; one of the system is an object of `os_thread`.

Addresses are numbers. What is not known is null.

The exit status is that of `sylvan ps`:

";

/// Writes it, given the arguments behind the verb.
pub fn main(args: Vec<OsString>) -> ExitCode {
    see::show(args, "dump", HELP, json)
}

fn json(process: &Process) -> Result<String, Refusal> {
    let mut runtimes = Vec::new();
    for runtime in &process.runtimes {
        let account = process.account(runtime)?;
        let workers = account.workers.iter().map(|worker| {
            let state = worker.doing.map(|doing| text(doing.text()));
            let os_thread = or_null(worker.os_thread);
            format!(
                "{{\"core\":{},\"os_thread\":{os_thread},\"state\":{}}}",
                worker.core,
                or_null(state)
            )
        });
        let threads = account.rows.iter().map(|row| thread(&account, row));
        let ids = |circle: &Vec<Edge>| list(circle.iter().map(|edge| who(edge.who)));
        let orphan = |it: &Orphan| {
            let waiters = list(it.waiters.iter().map(|(waiter, _)| who(*waiter)));
            let (lock, owner) = (it.lock, or_null(it.owner.map(who)));
            format!("{{\"address\":{lock},\"owner\":{owner},\"waiters\":{waiters}}}")
        };
        let Deadlocks { circles, orphans } = &account.deadlocks;
        runtimes.push(format!(
            "{{\"object\":{},\"workers\":{},\"threads\":{},\"deadlocks\":{},\"orphans\":{}}}",
            text(&runtime.object.to_string_lossy()),
            list(workers),
            list(threads),
            list(circles.iter().map(ids)),
            list(orphans.iter().map(orphan))
        ));
    }
    let process = text(&process.whose());
    Ok(format!(
        "{{\"version\":1,\"process\":{process},\"runtimes\":{}}}\n",
        list(runtimes.into_iter())
    ))
}

/// A number, or of an OS thread an object.
fn who(who: Who) -> String {
    match who {
        Who::Thread(id) => id.to_string(),
        Who::OsThread(os_thread) => format!("{{\"os_thread\":{os_thread}}}"),
    }
}

fn thread(account: &Account, row: &Row) -> String {
    let thread = &row.thread;
    let name = or_null(thread.name.as_deref().map(text));
    let stack = thread.stack.as_ref().map(|stack| format!("[{},{}]", stack.start, stack.end));
    let waits = thread.reason.map(|reason| {
        let wait = &row.wait;
        let senders = match wait.detail {
            Some(Detail::Senders(n)) => Some(n),
            _ => None,
        };
        let (owner, owner_ended) = match wait.owner {
            Some(Owner::Lives(owner)) => (Some(owner), Some(false)),
            Some(Owner::Ended(owner)) => (owner, Some(true)),
            None => (None, None),
        };
        format!(
            "{{\"reason\":{},\"descriptors\":{},\"file\":{},\"address\":{},\"owner\":{},\"owner_ended\":{},\"holders\":{},\"n_holders\":{},\"senders\":{},\"joins\":{},\"scope\":{},\"in_scope\":{},\"left_s\":{},\"words\":{}}}",
            text(reason.text()),
            list(wait.descriptors.iter().map(|it| it.descriptor.to_string())),
            or_null(row.file.as_deref().map(text)),
            or_null(wait.address),
            or_null(owner.map(who)),
            or_null(owner_ended),
            list(wait.holders.iter().map(|holder| who(*holder))),
            wait.n_holders,
            or_null(senders),
            or_null(wait.joins),
            list(wait.known_scope().iter().map(|it| who(*it))),
            or_null(wait.n_in_scope),
            or_null(row.left.map(|left| left.as_secs_f64())),
            text(&account.words(row)),
        )
    });
    format!(
        "{{\"id\":{},\"name\":{name},\"state\":{},\"core\":{},\"os_thread\":{},\"stack\":{},\"stack_pointer\":{},\"waits\":{},\"waited_s\":{},\"call\":{}}}",
        thread.id,
        text(thread.state.text()),
        or_null(thread.core),
        or_null(thread.os_thread),
        or_null(stack),
        or_null(thread.stack_pointer),
        or_null(waits),
        or_null(row.waited.map(|waited| waited.as_secs_f64())),
        or_null(row.call.as_deref().map(text)),
    )
}
