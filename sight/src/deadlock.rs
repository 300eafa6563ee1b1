//! Threads that wait for ever: for each other in a circle, each for a lock that the next one has, or for its end; for a
//! lock that they have themselves; for one whose owner has ended.
//!
//! # How sure it is
//!
//! A wait is *certain* if nobody but one thread can end it: a join that no cancellation ends, and a wait without a
//! deadline for a lock whose owner is known ([`owners`]); and that of a scope for each of its threads, where these are
//! noted. Where the owner, or the thread, was found on a stack it is a likely one.
//!
//! A look at a process that runs sees each thread at another moment. Who looks twice and finds the same circle of
//! certain waits, each begun at the same time ([`Edge::begun`]), has proof: between the looks all have waited
//! without a break, and the owners were read in that time.

use std::collections::BTreeMap;

use crate::channels;
use crate::details;
use crate::hash::{HashMap, HashSet};
use crate::memory::Unreadable;
use crate::owners::{self, Owner, Who};
use crate::procfs::Procfs;
use crate::table::Table;
use crate::threads::{State, Thread};
use crate::waits::{OsWait, Wait, Waits};

/// A thread waits for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Edge {
    /// Who waits.
    pub who: Who,
    /// For whom.
    pub whom: Who,
    /// For what of theirs.
    pub what: What,
    /// Whether nobody else can end the wait.
    pub is_certain: bool,
    /// What is the same as long as it is the same wait.
    pub begun: u64,
}

/// What somebody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum What {
    /// The lock at this address.
    Lock(u64),
    /// The same, of which it is in doubt who has it.
    Doubted(u64),
    /// The end of the thread.
    End,
}

/// A lock whose owner has ended: those who wait for it wait for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphan {
    /// The lock.
    pub lock: u64,
    /// Who has it, if it is known which thread that was.
    pub owner: Option<Who>,
    /// Who waits for it, each with what is the same as long as it is the same wait.
    pub waiters: Vec<(Who, u64)>,
}

/// What makes threads wait for ever, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deadlocks {
    /// Threads that wait for each other.
    pub circles: Vec<Vec<Edge>>,
    /// Locks that nobody gives up any more.
    pub orphans: Vec<Orphan>,
}

impl Deadlocks {
    /// Looks for them among what threads wait for.
    #[must_use]
    pub fn of<P: Procfs + ?Sized>(
        process: &P,
        table: &Table,
        threads: &[Thread],
        waits: &Waits,
    ) -> Self {
        let (mut edges, mut orphans) = (Vec::new(), BTreeMap::new());
        let mut add = |who: Who, begun: u64, end: End| match end {
            End::By { whom, what, is_certain } => {
                edges.push(Edge { who, whom, what, is_certain, begun });
            }
            End::Never { lock, owner } => {
                orphans.entry((lock, owner)).or_insert_with(Vec::new).push((who, begun));
            }
        };
        for (thread, wait) in threads.iter().zip(&waits.of_threads) {
            let who = Who::Thread(thread.id);
            let is_for_ever = thread.state == State::Parked && wait.deadline_ns.is_none();
            if let Some(end) = end_of(who, wait).filter(|_| is_for_ever) {
                add(who, wait.begun, end);
            }
            for &whom in wait.known_scope() {
                add(who, wait.begun, end_of_scope(whom, wait));
            }
        }
        for (os_thread, it) in waits.of_os_threads(process, table) {
            let who = Who::OsThread(os_thread);
            if let Some(end) = end_of(who, &it.wait) {
                add(who, it.wait.begun, end);
            }
            for &whom in it.wait.known_scope() {
                add(who, it.wait.begun, end_of_scope(whom, &it.wait));
            }
        }
        let orphan = |((lock, owner), waiters)| Orphan { lock, owner, waiters };
        let orphans = orphans.into_iter().map(orphan).collect();
        let mut circles = circles(&edges);
        // Of those who wait for a lock that nobody is seen to have, one has it at most.
        let mut doubted = HashSet::default();
        circles.retain(|circle| match circle[..] {
            [Edge { what: What::Doubted(lock), .. }] => doubted.insert(lock),
            _ => true,
        });
        Self { circles, orphans }
    }
}

/// How a wait ends.
enum End {
    /// By somebody.
    By { whom: Who, what: What, is_certain: bool },
    /// Not at all: who has the lock has ended.
    Never { lock: u64, owner: Option<Who> },
}

/// How a wait ends that has no deadline.
fn end_of(who: Who, wait: &Wait) -> Option<End> {
    let in_doubt = |whom| {
        let what = What::Doubted(wait.address?);
        Some(End::By { whom, what, is_certain: false })
    };
    match wait.joins {
        Some(joined) => Some(end_of_join(joined, wait.may_be_cancelled)),
        None => match (wait.owner, &wait.holders[..]) {
            (Some(owner), _) => end_of_lock(wait.address?, owner),
            (None, &[whom] | &[whom, _]) if wait.is_in_doubt => in_doubt(whom),
            (None, &[whom]) => {
                Some(End::By { whom, what: What::Lock(wait.address?), is_certain: false })
            }
            (None, []) if wait.is_left_with.is_some() => in_doubt(who),
            _ => None,
        },
    }
}

fn end_of_join(joined: u64, may_be_cancelled: bool) -> End {
    End::By { whom: Who::Thread(joined), what: What::End, is_certain: !may_be_cancelled }
}

/// It waits for each of its threads.
fn end_of_scope(whom: Who, wait: &Wait) -> End {
    End::By { whom, what: What::End, is_certain: wait.is_scope_noted }
}

fn end_of_lock(lock: u64, owner: Owner) -> Option<End> {
    match owner {
        Owner::Lives(whom) => Some(End::By { whom, what: What::Lock(lock), is_certain: true }),
        Owner::Ended(owner) => Some(End::Never { lock, owner }),
    }
}

/// What a look has found.
#[derive(Debug)]
pub struct Look {
    /// The threads.
    pub threads: Vec<Thread>,
    /// What they wait for.
    pub waits: Waits,
    /// What is certain, if this look and another one agree.
    pub deadlocks: Deadlocks,
}

impl Look {
    /// The OS threads that wait for others, in a way that is known; with which channels these wait for and what memory
    /// says of it, and green threads as well: what `look` does without.
    pub fn name_channels<P: Procfs + ?Sized>(
        &mut self,
        process: &P,
        table: &Table,
    ) -> Vec<(u32, OsWait)> {
        channels::find(process, table, &self.threads, &mut self.waits.of_threads);
        let mut of_os_threads = self.waits.of_os_threads(process, table);
        for (os_thread, wait) in &mut of_os_threads {
            channels::find_of_os_thread(process, *os_thread, wait);
        }
        let os_waits = of_os_threads.iter_mut().map(|(_, it)| (it.reason, &mut it.wait));
        let waits = details::of_threads(&self.threads, &mut self.waits.of_threads);
        details::find(process, waits.chain(os_waits));
        of_os_threads
    }
}

/// Looks for what is certain.
///
/// # Errors
///
/// If what all hangs on cannot be read.
pub fn look<P: Procfs + ?Sized>(process: &P, table: &Table) -> Result<Look, Unreadable> {
    let (threads, waits) = owners::look(process, table)?;
    let mut deadlocks = Deadlocks::of(process, table, &threads, &waits);
    deadlocks.circles.retain(|circle| circle.iter().all(|edge| edge.is_certain));
    // A lock of libc's says no more than that, and another thread may unlock it there.
    deadlocks.orphans.retain(|orphan| orphan.owner.is_some());
    Ok(Look { threads, waits, deadlocks })
}

/// The circles, each from the thread with the lowest number on. Where circles share threads some of them are found.
#[must_use]
pub fn circles(edges: &[Edge]) -> Vec<Vec<Edge>> {
    let mut of: HashMap<Who, Vec<Edge>> = HashMap::default();
    for edge in edges {
        of.entry(edge.who).or_default().push(*edge);
    }
    let mut seen = HashSet::default();
    let mut found = Vec::new();
    for begin in edges {
        // A way along edges, each with those that its end has yet, and where on it each thread is.
        let mut way: Vec<Edge> = Vec::new();
        let (mut at, mut left): (HashMap<Who, usize>, Vec<&[Edge]>) = Default::default();
        let mut next = Some(begin.who).filter(|who| !seen.contains(who));
        loop {
            if let Some(who) = next.take() {
                seen.insert(who);
                at.insert(who, left.len());
                left.push(of.get(&who).map_or(&[], Vec::as_slice));
            }
            let Some(edges) = left.last_mut() else { break };
            let Some((edge, others)) = edges.split_first() else {
                left.pop();
                // The first thread of the way has no edge that leads to it.
                let back = way.pop().map_or(begin.who, |edge| edge.whom);
                at.remove(&back);
                continue;
            };
            *edges = others;
            if let Some(from) = at.get(&edge.whom) {
                let mut circle = [&way[*from..], &[*edge]].concat();
                let first = circle.iter().map(|edge| edge.who).min();
                let n = circle.iter().position(|edge| Some(edge.who) == first).unwrap_or(0);
                circle.rotate_left(n);
                found.push(circle);
            } else if !seen.contains(&edge.whom) {
                way.push(*edge);
                next = Some(edge.whom);
            }
        }
    }
    found.sort_by_key(|circle| circle[0].who);
    found
}

/// A circle in words, by how its threads are called.
#[must_use]
pub fn words(circle: &[Edge], name: impl Fn(Who) -> String) -> String {
    let in_doubt = |edge: &Edge| matches!(edge.what, What::Doubted(_));
    let how_sure = match circle.iter().all(|edge| edge.is_certain) {
        true => "",
        false if circle.iter().any(in_doubt) => "perhaps a ",
        false => "most likely a ",
    };
    if let [Edge { who, what, .. }] = circle {
        let waits_for = match what {
            What::End => "waits for its own end".to_owned(),
            What::Lock(lock) => format!("waits for {lock:#x}, which it holds itself"),
            What::Doubted(lock) => {
                format!("waits for {lock:#x}, which nobody else is seen to hold")
            }
        };
        return format!("{how_sure}deadlock: {} {waits_for}", name(*who));
    }
    let waits_for = |edge: &Edge| match edge.what {
        What::End => format!("waits for the end of {}", name(edge.whom)),
        What::Lock(lock) | What::Doubted(lock) => format!("waits for {lock:#x}"),
    };
    // Who waits for this one says what it holds.
    let line = |(at, edge): (usize, &Edge)| {
        let holds = match circle[(at + circle.len() - 1) % circle.len()].what {
            What::Lock(lock) | What::Doubted(lock) => format!("holds {lock:#x} and "),
            What::End => String::new(),
        };
        format!("{} {holds}{}", name(edge.who), waits_for(edge))
    };
    let lines: Vec<_> = circle.iter().enumerate().map(line).collect();
    format!("{how_sure}deadlock: {}", lines.join("; "))
}

impl Orphan {
    /// It in words, by how threads are called.
    #[must_use]
    pub fn words(&self, name: impl Fn(Who) -> String) -> String {
        /// More are not named.
        const NAMED_MAX: usize = 8;
        let Self { lock, owner, waiters } = self;
        let n = waiters.len();
        let mut names: Vec<_> = waiters.iter().take(NAMED_MAX).map(|(who, _)| name(*who)).collect();
        if n > NAMED_MAX {
            names.push(format!("{} more", n - NAMED_MAX));
        }
        let (names, verb) = (names.join(", "), if n == 1 { "waits" } else { "wait" });
        let waits = format!("deadlock: {names} {verb} for {lock:#x}, held by");
        match owner {
            Some(owner) => format!("{waits} {}, which has ended", name(*owner)),
            None => format!("most likely a {waits} a thread that has ended"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(who: u64, whom: u64, what: What) -> Edge {
        let (who, whom) = (Who::Thread(who), Who::Thread(whom));
        Edge { who, whom, what, is_certain: true, begun: 0 }
    }

    #[test]
    fn a_circle_is_found_once_without_those_that_wait_for_it() {
        let lock = What::Lock(16);
        let edges = [
            edge(1, 2, lock),
            edge(3, 2, What::End),
            edge(2, 3, lock),
            edge(4, 4, lock),
            edge(5, 6, lock),
        ];
        assert_eq!(circles(&edges), [vec![edges[2], edges[1]], vec![edges[3]]]);
    }

    #[test]
    fn who_waits_for_several_is_in_a_circle_with_each_that_waits_for_it() {
        let lock = What::Lock(16);
        let edges = [
            edge(1, 2, What::End),
            edge(1, 3, What::End),
            edge(1, 4, What::End),
            edge(2, 5, lock),
            edge(3, 1, lock),
            edge(4, 1, lock),
        ];
        let both = [vec![edges[1], edges[4]], vec![edges[2], edges[5]]];
        assert_eq!(circles(&edges), both);
    }

    #[test]
    fn the_words_say_what_each_holds_and_waits_for_and_how_sure_it_is() {
        let mut circle = [edge(1, 2, What::Lock(0x10)), edge(2, 1, What::End)];
        let name = |who: Who| match who {
            Who::Thread(id) => format!("'{id}'"),
            Who::OsThread(_) => unreachable!(),
        };
        let said = "deadlock: '1' waits for 0x10; '2' holds 0x10 and waits for the end of '1'";
        assert_eq!(words(&circle, name), said);
        circle[0].is_certain = false;
        assert_eq!(words(&circle, name), format!("most likely a {said}"));
    }
}
