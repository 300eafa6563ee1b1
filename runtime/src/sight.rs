//! What is shown to those who look from outside: the table (`sylvan_sight::table`) and the way to it.
//!
//! Nothing here runs but [`begin`], once. Who looks reads the memory of the process: it finds the table by a
//! note, and from there on all that the runtime has for itself anyway. So does the process itself (`look`).
//!
//! # Threads
//!
//! A thread that has started is found by its stack: slabs are in a list (`stack::pool`), and at the same place
//! in each stack a word leads to the thread. In the own mode it is one of its thread-locals, by which it
//! knows itself (`current`); in the shared mode its worker writes it. When the thread ends its header says so
//! ([`Header::bottom`]), so that a word that is left over leads nowhere. One that has not started is in a
//! queue. So a spawn takes nothing for it.
//!
//! In between, while a worker has it in its hands or takes it from one queue to another, it is nowhere. So the
//! ends of threads are counted: who has found fewer than there must be looks again.
//!
//! # Who waits
//!
//! Waiters lie on stacks, and hang in the queues of addresses, descriptors and deadlines.

use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use sylvan_sight::table::{Head, Roots, Table};

use crate::clock;
use crate::context::{self, tls};
use crate::current;
use crate::fork;
use crate::owners;
use crate::park;
use crate::reactor;
use crate::scheduler::{self, Scheduler};
use crate::stack;
use crate::task::lease::Lease;
use crate::task::list::List;
use crate::task::rare::Rare;
use crate::task::state::now;
use crate::task::{Header, id};
use crate::timer;
use crate::trace;

/// How far below the top of a stack the words are that lead to its thread: see `Roots`.
static OWNER_BELOW: AtomicU64 = AtomicU64::new(0);
static BOUND_BELOW: AtomicU64 = AtomicU64::new(0);
static NAMED_BELOW: AtomicU64 = AtomicU64::new(0);
static NAME_AT: AtomicU64 = AtomicU64::new(0);
static JOINED_AT: AtomicU64 = AtomicU64::new(0);
static NUMBER_BELOW: AtomicU64 = AtomicU64::new(0);

/// Where the calling thread has a pointer to its record.
pub type RecordPlace = fn() -> usize;

/// Set in whole programs.
static RECORD_PLACE: OnceLock<RecordPlace> = OnceLock::new();

/// Has shown what a thread-local of each thread leads to, which is at `place`: the thread's name, `name_at` there,
/// and who joins it, by the word that these wait at, `joined_at` there. Once, before the runtime starts.
pub fn show_records(place: RecordPlace, name_at: usize, joined_at: usize) {
    if RECORD_PLACE.set(place).is_ok() {
        NAME_AT.store(name_at as u64, Ordering::Relaxed);
        JOINED_AT.store(joined_at as u64, Ordering::Relaxed);
    }
}

/// The address of a static.
#[derive(Debug)]
#[repr(transparent)]
struct Address(*const ());

// SAFETY: nobody in the process follows it.
unsafe impl Sync for Address {}

impl Address {
    const fn of<T>(it: &'static T) -> Self {
        Self(ptr::from_ref(it).cast())
    }
}

#[used]
static TABLE: Table<Address> = Table {
    head: Head::THIS,
    roots: Roots {
        slabs: Address::of(&stack::SLABS),
        owner_below: Address::of(&OWNER_BELOW),
        bound_below: Address::of(&BOUND_BELOW),
        named_below: Address::of(&NAMED_BELOW),
        name_at: Address::of(&NAME_AT),
        joined_at: Address::of(&JOINED_AT),
        number_below: Address::of(&NUMBER_BELOW),
        parked_from: Address::of(&now::PARKED_FROM),
        next_id: Address::of(&id::NEXT),
        first_id: Address::of(&id::FIRST),
        n_others: Address::of(&id::N_OTHERS),
        forked: Address::of(&fork::FORKED),
        scheduler: Address::of(&scheduler::SCHEDULER),
        timers: Address::of(&timer::SHARDS),
        buckets: Address::of(&park::TABLE),
        entries: Address::of(&reactor::table::CHUNKS),
        clock_base_ns: Address::of(&clock::BASE_NS),
        recording: Address::of(&trace::CONTROL),
        owners: Address::of(&owners::PLACES),
    },
    slab: stack::Slab::LAYOUT,
    task: Header::LAYOUT,
    saved: context::REGISTERS,
    rare: Rare::LAYOUT,
    lease: Lease::LAYOUT,
    scheduler: Scheduler::LAYOUT,
    core: Scheduler::CORE,
    list: List::LAYOUT,
    queue: Scheduler::QUEUE,
    buckets: park::Table::LAYOUT,
    waiter: park::Waiter::LAYOUT,
    entries: reactor::table::LAYOUT,
    entry_waiter: reactor::WAITER,
    timers: timer::Shard::LAYOUT,
    alarm: timer::Alarm::LAYOUT,
    sleeper: park::Sleeper::LAYOUT,
};

/// The address of the table, for those in the process who read it as somebody else would.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn table_at() -> u64 {
    (&raw const TABLE).addr() as u64
}

// Weak, and with the version in its name: where an object has this crate twice, one table will do if both are
// of the same version. Without `.`, as in `others`.
#[cfg(target_os = "linux")]
std::arch::global_asm!(
    ".pushsection .note.sylvan,\"a\",@note",
    ".balign 4",
    ".weak __sylvan_sight_{version}",
    ".hidden __sylvan_sight_{version}",
    "__sylvan_sight_{version}:",
    ".long 7, 4, {type}",
    ".asciz \"sylvan\"",
    ".balign 4",
    ".long {table} - __sylvan_sight_{version} - 20",
    ".popsection",
    table = sym TABLE,
    version = const sylvan_sight::table::VERSION,
    type = const sylvan_sight::table::NOTE,
);

#[cfg(target_os = "linux")]
unsafe extern "C" {
    #[link_name = "__sylvan_sight_13"]
    static NOTE: [u32; 6];
}

/// What has a debugger of this program show green threads. Where it may is up to that one.
#[cfg(target_os = "linux")]
#[unsafe(link_section = ".debug_gdb_scripts")]
#[used]
static SCRIPT: [u8; sylvan_sight::gdb::ENTRY.len()] = {
    let Some(script) = sylvan_sight::gdb::ENTRY.as_bytes().first_chunk() else { unreachable!() };
    *script
};

/// The runtime starts: whose thread-locals green threads see is decided.
pub(crate) fn begin() {
    // So that the object with the note is linked, and the script with it.
    #[cfg(target_os = "linux")]
    std::hint::black_box((&raw const NOTE, &raw const SCRIPT));
    let [owner, bound, named, number] = match tls::own() {
        Some(own) => {
            let here = own.home();
            let below = |place: usize| own.below_top(place.wrapping_sub(here).cast_signed());
            let [owner, bound] = current::places();
            let named = RECORD_PLACE.get().map_or(0, |place| below(place()));
            [below(owner), below(bound), named, own.below_top(own.number_at())]
        }
        None => [stack::OWNER_BELOW, 0, 0, 0],
    };
    // They order nothing: who looks from outside takes what is there.
    OWNER_BELOW.store(owner as u64, Ordering::Relaxed);
    BOUND_BELOW.store(bound as u64, Ordering::Relaxed);
    NAMED_BELOW.store(named as u64, Ordering::Relaxed);
    NUMBER_BELOW.store(number as u64, Ordering::Relaxed);
}
