//! Equal stacks are one, with all threads that have it.

use std::collections::HashMap;

use sylvan_sight::stacks;
use sylvan_sight::threads::{State, Thread};

use super::names::{Frame, Names};
use super::owners::Owner;
use super::walk::{Frames, Walker};
use crate::see::{Process, Runtime};

/// So many stacks are in memory at a time.
const BATCH: usize = 128;

/// A stack.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Shown {
    Frames {
        /// From the innermost to the outermost.
        frames: Vec<Frame>,
        /// There are more, which cannot be had.
        is_cut: bool,
    },
    /// There is none yet.
    NotStarted,
    /// It cannot be had: the thread runs, and is not stopped for a look.
    Unknown,
}

/// Those who have the same stack.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) shown: Shown,
    /// In the order of their numbers.
    pub(super) threads: Vec<Thread>,
}

/// How a stack was found, before anything has a name.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Found {
    Frames(Frames),
    NotStarted,
    Unknown,
}

/// The stacks of these threads of a runtime, the most frequent first; with the frames of the runtime, or without.
pub(super) fn groups(
    process: &Process,
    runtime: &Runtime,
    threads: Vec<Thread>,
    all_frames: bool,
) -> Vec<Group> {
    let mut walker = Walker::new(process);
    let mut found: HashMap<_, Vec<Thread>> = HashMap::new();
    for batch in threads.chunks(BATCH) {
        let parked = stacks::stacks(process, &runtime.table, batch);
        for (thread, stack) in batch.iter().zip(parked) {
            let stack = || stack.or_else(|| process.stack_of(thread));
            let how = match thread.state {
                State::NotStarted => Found::NotStarted,
                _ => stack().map_or(Found::Unknown, |stack| Found::Frames(walker.frames(&stack))),
            };
            found.entry(how).or_default().push(thread.clone());
        }
    }
    let mut names = Names::new(process, &walker.objects);
    let mut groups: HashMap<_, Vec<Thread>> = HashMap::new();
    for (how, threads) in found {
        let shown = match how {
            Found::Frames(Frames { addresses, is_cut }) => {
                let frames = addresses.iter().flat_map(|it| names.of(*it).to_vec()).collect();
                let frames = if all_frames { frames } else { without_runtime(frames) };
                Shown::Frames { frames, is_cut }
            }
            Found::NotStarted => Shown::NotStarted,
            Found::Unknown => Shown::Unknown,
        };
        groups.entry(shown).or_default().extend(threads);
    }
    let mut groups: Vec<_> =
        groups.into_iter().map(|(shown, threads)| Group { shown, threads }).collect();
    for group in &mut groups {
        group.threads.sort_by_key(|thread| thread.id);
    }
    groups.sort_by_key(|group| (usize::MAX - group.threads.len(), group.threads[0].id));
    groups
}

/// Leaves out what is the runtime's: how a thread begins, and of each run of its functions, and of those that it has
/// called itself, all but the one that the program has called.
fn without_runtime(mut frames: Vec<Frame>) -> Vec<Frame> {
    let Some(begin) = frames.iter().rposition(|frame| frame.owner == Owner::Program) else {
        return frames;
    };
    frames.truncate(begin + 1);
    let runs = frames.split_inclusive(|frame| frame.owner == Owner::Program);
    let shown = |run: &[Frame]| {
        let called = run.iter().rposition(|frame| frame.owner == Owner::Runtime);
        run[called.unwrap_or(0)..].to_vec()
    };
    runs.flat_map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_runtime_what_the_program_has_called_is_left() {
        use Owner::{Callers as Std, Program, Runtime};
        let frame = |(owner, line)| Frame {
            function: String::new(),
            file: None,
            line: Some(line),
            is_inlined: false,
            owner,
        };
        let lines = |owners: &[Owner]| {
            let frames = owners.iter().copied().zip(1..).map(frame).collect();
            without_runtime(frames).iter().filter_map(|frame| frame.line).collect::<Vec<_>>()
        };
        let begin = [Std, Program, Std, Runtime, Std, Runtime];
        assert_eq!(lines(&[&[Runtime, Std, Runtime], &begin[..]].concat()), [3, 4, 5]);
        assert_eq!(lines(&[&[Program, Runtime, Std, Runtime], &begin[..]].concat()), [1, 4, 5, 6]);
        assert_eq!(lines(&[&[Std, Runtime, Std], &begin[..]].concat()), [2, 3, 4, 5]);
        assert_eq!(
            lines(&[Std, Std, Program, Std, Runtime]),
            [1, 2, 3],
            "the program has called it"
        );
        assert_eq!(lines(&[Runtime, Std]), [1, 2], "there is nothing else");
    }
}
