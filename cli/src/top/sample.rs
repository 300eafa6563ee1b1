//! What there is to count of a process at a moment.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use sylvan_sight::threads::{self, Thread, Worker};
use sylvan_sight::{Procfs, Unreadable};

use crate::see::Process;

/// All of it.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) at: Instant,
    pub(super) runtimes: Vec<RuntimeSample>,
    /// By their numbers; none of a core file.
    pub(super) os_threads: BTreeMap<u32, OsThread>,
}

/// Of a runtime.
#[derive(Debug)]
pub(super) struct RuntimeSample {
    pub(super) threads: Vec<Thread>,
    pub(super) workers: Vec<Worker>,
    /// How many threads wait in the queues that all cores share.
    pub(super) n_shared: u64,
    /// How many wait to run without a core.
    pub(super) n_apart: u64,
    /// How many threads were spawned.
    pub(super) n_spawned: u64,
}

/// Of an OS thread, by the kernel.
#[derive(Clone, Debug, Default)]
pub(super) struct OsThread {
    pub(super) name: String,
    /// How long a processor ran it.
    pub(super) ran_ns: u64,
    /// How long it waited for a processor.
    pub(super) waited_ns: u64,
}

impl Sample {
    pub(super) fn take(process: &Process) -> Result<Self, Unreadable> {
        let runtime = |table| {
            Ok(RuntimeSample {
                threads: threads::threads(process, table)?,
                workers: threads::workers(process, table)?,
                n_shared: threads::n_shared(process, table)?,
                n_apart: threads::n_apart(process, table)?,
                n_spawned: threads::n_spawned(process, table)?,
            })
        };
        let runtimes: Result<_, _> = process.runtimes.iter().map(|it| runtime(&it.table)).collect();
        Ok(Self { at: Instant::now(), runtimes: runtimes?, os_threads: os_threads(process) })
    }
}

fn os_threads(process: &Process) -> BTreeMap<u32, OsThread> {
    let os_thread = |number: u32| {
        let name = process.name_of(number)?;
        // Where the kernel keeps no account, nothing is known.
        let account = process.text(&format!("task/{number}/schedstat")).unwrap_or_default();
        let mut words = account.split_whitespace().map_while(|word| word.parse().ok());
        let (ran_ns, waited_ns) = (words.next().unwrap_or(0), words.next().unwrap_or(0));
        Some((number, OsThread { name, ran_ns, waited_ns }))
    };
    process.os_threads().into_iter().filter_map(os_thread).collect()
}

/// Who ran when it was looked.
#[derive(Debug, Default)]
pub(super) struct Busy {
    pub(super) n_looks: u32,
    /// In how many of these one ran, by the place of its runtime and its number.
    pub(super) n_running: HashMap<(usize, u64), u32>,
}

impl Busy {
    /// Looks which of the threads of a sample run just now.
    pub(super) fn look(&mut self, process: &Process, sample: &Sample) {
        self.n_looks += 1;
        // Those whom a worker would run then are told, too.
        let n = u32::from(!process.is_stopped());
        for (place, it) in sample.runtimes.iter().enumerate() {
            let table = &process.runtimes[place].table;
            for at in threads::running(process, table, &it.threads) {
                *self.n_running.entry((place, it.threads[at].id)).or_default() += n;
            }
        }
    }
}
