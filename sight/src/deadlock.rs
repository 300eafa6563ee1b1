//! Threads that wait for each other in a circle: each for a lock that the next one has, or for its end.
//!
//! # How sure it is
//!
//! A wait is *certain* if nobody but one other thread can end it: a join, and a wait without a deadline for a lock
//! whose owner is known ([`owners`]). Where the owner was found on a stack it is a likely one.
//!
//! A look at a process that runs sees each thread at another moment. Who looks twice and finds the same circle of
//! certain waits, each begun at the same time ([`Edge::begun`]), has proof: between the looks all have waited
//! without a break, and the owners were read in that time.

use crate::hash::{HashMap, HashSet};
use crate::memory::Unreadable;
use crate::owners::{self, Who};
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
    /// The end of the thread.
    End,
}

/// Who waits for whom, as far as it is known.
pub fn edges<P: Procfs + ?Sized>(process: &P, threads: &[Thread], waits: &Waits) -> Vec<Edge> {
    let mut edges: Vec<_> = threads.iter().zip(&waits.of_threads).filter_map(of_thread).collect();
    let mut seen = HashSet::default();
    let mut new: Vec<_> = edges.iter().map(|edge| edge.whom).collect();
    while let Some(who) = new.pop() {
        let Who::OsThread(os_thread) = who else { continue };
        if !seen.insert(os_thread) {
            continue;
        }
        let wait = waits.of_os_thread(process, os_thread);
        let edge = wait.and_then(|wait| of_os_thread(who, wait));
        new.extend(edge.map(|edge| edge.whom));
        edges.extend(edge);
    }
    edges
}

fn of_thread((thread, wait): (&Thread, &Wait)) -> Option<Edge> {
    if thread.state != State::Parked || wait.deadline_ns.is_some() {
        return None;
    }
    let (whom, what, is_certain) = match (wait.joins, wait.address, wait.owner, &wait.holders[..]) {
        (Some(joined), ..) => (Who::Thread(joined), What::End, true),
        (None, Some(lock), Some(owner), _) => (owner, What::Lock(lock), true),
        (None, Some(lock), None, [holder]) => (*holder, What::Lock(lock), false),
        _ => return None,
    };
    Some(Edge { who: Who::Thread(thread.id), whom, what, is_certain, begun: wait.begun })
}

fn of_os_thread(who: Who, wait: OsWait) -> Option<Edge> {
    let (whom, what) = match wait {
        OsWait { joins: Some(joined), .. } => (Who::Thread(joined), What::End),
        OsWait { address, owner, .. } => (owner?, What::Lock(address)),
    };
    Some(Edge { who, whom, what, is_certain: true, begun: wait.begun })
}

/// What a look has found.
#[derive(Debug)]
pub struct Look {
    /// The threads.
    pub threads: Vec<Thread>,
    /// What they wait for.
    pub waits: Waits,
    /// Circles of waits that are certain, if this look and another one agree.
    pub circles: Vec<Vec<Edge>>,
}

/// Looks for circles of certain waits.
///
/// # Errors
///
/// If what all hangs on cannot be read.
pub fn look<P: Procfs + ?Sized>(process: &P, table: &Table) -> Result<Look, Unreadable> {
    let threads = crate::threads::threads(process, table)?;
    let mut waits = crate::waits::waits(process, table, &threads)?;
    owners::find(process, table, &threads, &mut waits);
    let circles = circles(&edges(process, &threads, &waits));
    Ok(Look { threads, waits, circles })
}

/// The circles, each once, from the thread with the lowest number on.
#[must_use]
pub fn circles(edges: &[Edge]) -> Vec<Vec<Edge>> {
    let of: HashMap<_, _> = edges.iter().map(|edge| (edge.who, edge)).collect();
    let mut seen: HashMap<Who, Who> = HashMap::default();
    let mut found = Vec::new();
    for begin in edges {
        let mut path = Vec::new();
        let mut at = Some(begin.who);
        while let Some(edge) = at.filter(|who| !seen.contains_key(who)).and_then(|who| of.get(&who))
        {
            seen.insert(edge.who, begin.who);
            path.push(**edge);
            at = Some(edge.whom);
        }
        if let Some(from) = path.iter().position(|edge| Some(edge.who) == at) {
            let mut circle = path.split_off(from);
            let first = circle.iter().map(|edge| edge.who).min();
            let n = circle.iter().position(|edge| Some(edge.who) == first).unwrap_or(0);
            circle.rotate_left(n);
            found.push(circle);
        }
    }
    found.sort_by_key(|circle| circle[0].who);
    found
}

/// A circle in words, by how its threads are called.
#[must_use]
pub fn words(circle: &[Edge], name: impl Fn(Who) -> String) -> String {
    let waits_for = |edge: &Edge| match edge.what {
        What::End => format!("waits for the end of {}", name(edge.whom)),
        What::Lock(lock) => format!("waits for {lock:#x}"),
    };
    // Who waits for this one says what it holds.
    let line = |(at, edge): (usize, &Edge)| {
        let holds = match circle[(at + circle.len() - 1) % circle.len()].what {
            What::Lock(lock) => format!("holds {lock:#x} and "),
            What::End => String::new(),
        };
        format!("{} {holds}{}", name(edge.who), waits_for(edge))
    };
    let lines: Vec<_> = circle.iter().enumerate().map(line).collect();
    let how_sure = if circle.iter().all(|edge| edge.is_certain) { "" } else { "most likely a " };
    format!("{how_sure}deadlock: {}", lines.join("; "))
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
