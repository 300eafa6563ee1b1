//! Traces of runs that never were, for tests of whoever reads them.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::file::{About, Why, Writer};
use crate::trace::{By, Event, Kind};

/// The reasons of parks in such a run.
pub const REASONS: [&str; 4] = ["read", "mutex", "channel", "sleep"];

/// How large a run is to be.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Green threads.
    pub n_threads: u32,
    /// Events, or a few more.
    pub n_events: usize,
    /// Workers.
    pub n_workers: u32,
}

/// The same numbers each time (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// The file of a run in which threads 2, 3, ... are spawned by thread 2, work, wait for each other, block at
/// times, and, a third of them, end. Thread 2 is named `main`, and those whose number is even `client-N`.
#[must_use]
pub fn file(size: Size) -> Vec<u8> {
    let mut dice = Dice(0x5eed);
    let mut rings = vec![Vec::new(); size.n_workers as usize];
    for (worker, ring) in rings.iter_mut().enumerate() {
        ring.push(Event::new(0, Kind::Take, 0, 100 + worker as u32, worker as u32));
    }
    let mut clocks: BinaryHeap<_> =
        (0..size.n_workers).map(|worker| Reverse((1_000, worker))).collect();
    // Those who may run, since when; and those who wait, until when.
    let mut runnable = VecDeque::from([(1_000, 2, true)]);
    let mut waiting: BinaryHeap<Reverse<(u64, u32)>> = BinaryHeap::new();
    let mut n_spawned = 1;
    let mut n = rings.len();
    rings[0].push(Event::new(1_000, Kind::Spawn, 0, 2, 0));
    while n < size.n_events {
        let Some(Reverse((mut now, worker))) = clocks.pop() else { break };
        let ring = &mut rings[worker as usize];
        let before = ring.len();
        while let Some(&Reverse((_, thread))) = waiting.peek().filter(|next| next.0.0 <= now) {
            waiting.pop();
            ring.push(Event::new(now, Kind::Wake, By::Event as u8, thread, 0));
            runnable.push_back((now, thread, false));
        }
        match runnable.iter().position(|&(since, ..)| since <= now) {
            Some(at) => {
                let (_, thread, is_first) = runnable.remove(at).expect("it was just found");
                let kind = if is_first { Kind::Start } else { Kind::Run };
                ring.push(Event::new(now, kind, 0, thread, 0));
                now += 500 + dice.below(20_000);
                for _ in 0..if thread == 2 { 1_000 } else { 0 } {
                    if n_spawned < size.n_threads {
                        n_spawned += 1;
                        now += 300;
                        ring.push(Event::new(now, Kind::Spawn, 0, n_spawned + 1, thread));
                        runnable.push_back((now, n_spawned + 1, true));
                    }
                }
                if dice.below(8) == 0
                    && let Some(Reverse((_, other))) = waiting.pop()
                {
                    ring.push(Event::new(now, Kind::Wake, By::Thread as u8, other, thread));
                    runnable.push_back((now, other, false));
                }
                if dice.below(16) == 0 {
                    ring.push(Event::new(now, Kind::Section, 0, thread, 0));
                    now += dice.below(200_000);
                    ring.push(Event::new(now, Kind::SectionEnd, 0, thread, 0));
                }
                now += 200;
                match dice.below(10) {
                    0 if thread % 3 == 0 => ring.push(Event::new(now, Kind::End, 0, thread, 0)),
                    1 | 2 => {
                        ring.push(Event::new(now, Kind::Yield, 0, thread, 0));
                        runnable.push_back((now, thread, false));
                    }
                    _ => {
                        let reason = dice.below(REASONS.len() as u64) as u8;
                        ring.push(Event::new(now, Kind::Park, reason, thread, 0));
                        waiting.push(Reverse((now + dice.below(5_000_000), thread)));
                    }
                }
                now += 100;
            }
            None => {
                ring.push(Event::new(now, Kind::Sleep, 0, 0, 0));
                now += 20_000;
                ring.push(Event::new(now, Kind::Awake, 0, 0, 0));
            }
        }
        n += ring.len() - before;
        clocks.push(Reverse((now, worker)));
    }
    let ended_ns = clocks.into_iter().map(|Reverse((now, _))| now).max().unwrap_or(0);
    write(&rings, n_spawned, ended_ns).expect("memory takes what is written to it")
}

fn write(rings: &[Vec<Event>], n_threads: u32, ended_ns: u64) -> std::io::Result<Vec<u8>> {
    let about = About {
        pid: 4711,
        n_cores: rings.len() as u32,
        why: Why::Exit,
        began_unix_ns: 1_800_000_000_000_000_000,
        ended_ns,
        program: String::from("/usr/bin/synthetic"),
    };
    let mut writer = Writer::new(Vec::new(), &about)?;
    writer.reasons(REASONS.into_iter())?;
    writer.name(2, "main")?;
    for thread in (4..n_threads + 2).step_by(2) {
        writer.name(thread, &format!("client-{thread}"))?;
    }
    for (worker, ring) in (0..).zip(rings) {
        writer.ring(100 + worker, worker, 0, ring.iter().copied())?;
    }
    writer.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_has_the_size_that_was_asked_for() {
        let size = Size { n_threads: 10_000, n_events: 1_000_000, n_workers: 4 };
        let run = crate::file::read(&file(size)).unwrap();
        let n: usize = run.rings.iter().map(|ring| ring.moments.len()).sum();
        assert!((1_000_000..1_001_000).contains(&n), "{n} events");
        let history = crate::history::History::of(&run);
        assert_eq!(history.threads.len(), 10_000);
        assert!(history.threads.iter().any(|thread| thread.ended_ns.is_some()));
    }
}
