//! Rounds over everything there is.
//!
//! A round is each case once, and in a case each peer once, in turns or one after the other: so
//! what is compared ran a fraction of a second apart, or seconds, and what the machine did in some
//! minute meets one round of a case and not all of them. Rounds go on until as many are done as were
//! asked for, or until another one would not fit into the time.

use std::time::{Duration, Instant};

use crate::bench::Bench;
use crate::case::{Case, Run};
use crate::column::Sample;
use crate::failure::Failure;
use crate::finding::{Finding, Row};
use crate::machine::Meter;
use crate::peer::Peer;
use crate::turns::order;

/// How long to go on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    /// As many rounds at most.
    pub(crate) rounds: usize,
    /// As much time at most; the first round leaves out the cases that exceed it.
    pub(crate) time: Duration,
}

/// The part of the time after which no case begins any more: it has to end, too.
const LAST_START: f64 = 0.9;

/// One case, round after round.
struct Track<'a> {
    case: &'a Case,
    rows: Vec<Row>,
    /// Peers that do not have the scene.
    declined: Vec<bool>,
    /// What others used of the machine meanwhile, and what there was to use.
    others: Duration,
    time: Duration,
    /// How long the last round of it took.
    took: Duration,
}

/// Runs all cases for all `peers` within `budget`.
pub(crate) fn all(
    cases: &[Case],
    bench: &Bench,
    peers: &[&'static Peer],
    budget: Budget,
) -> Vec<Finding> {
    let start = Instant::now();
    let mut tracks: Vec<Track<'_>> = cases.iter().map(|case| Track::new(case, peers)).collect();
    for round in 0..budget.rounds {
        for track in tracks.iter_mut().filter(|track| round < track.case.rounds) {
            let (scene, title) = (track.case.scene, &track.case.title);
            if start.elapsed() > budget.time.mul_f64(LAST_START) {
                eprintln!("out of time: {scene}, {title} is left out");
                continue;
            }
            eprint!("round {}, {:>4} s: {scene}, {title}", round + 1, start.elapsed().as_secs());
            track.step(bench, peers, round);
            eprintln!(" ({:.1} s)", track.took.as_secs_f64());
        }
        let again = tracks.iter().filter(|track| round + 1 < track.case.rounds);
        let next: Duration = again.map(|track| track.took).sum();
        if next.is_zero() || start.elapsed() + next > budget.time {
            break;
        }
    }
    tracks.into_iter().filter_map(Track::finish).collect()
}

impl<'a> Track<'a> {
    fn new(case: &'a Case, peers: &[&'static Peer]) -> Track<'a> {
        Track {
            case,
            rows: peers.iter().map(|peer| Row::new(peer.name)).collect(),
            declined: vec![false; peers.len()],
            others: Duration::ZERO,
            time: Duration::ZERO,
            took: Duration::ZERO,
        }
    }

    /// One round: each peer once. Who fails the first time, or twice, does not come again.
    fn step(&mut self, bench: &Bench, peers: &[&'static Peer], round: usize) {
        let (begin, meter) = (Instant::now(), Meter::start());
        let order = order(peers.len(), round).into_iter();
        let (order, out): (Vec<_>, Vec<_>) = order.partition(|&index| self.takes_part(index));
        for index in out {
            self.rows[index].samples.push(None);
        }
        let playing: Vec<&Peer> = order.iter().map(|&index| peers[index]).collect();
        let results = match &self.case.run {
            Run::Alone(run) => playing.iter().map(|peer| run(bench, peer)).collect(),
            Run::InTurns(turns) => turns.take(bench, &playing),
        };
        for (index, result) in order.into_iter().zip(results) {
            self.note(index, result);
        }
        let (others, time) = meter.others();
        (self.others, self.time) = (self.others + others, self.time + time);
        self.took = begin.elapsed();
    }

    fn takes_part(&self, index: usize) -> bool {
        let row = &self.rows[index];
        let failures = row.samples.len() - row.completed();
        !self.declined[index] && row.samples.first() != Some(&None) && failures <= 1
    }

    fn note(&mut self, index: usize, result: Result<Sample, Failure>) {
        let row = &mut self.rows[index];
        match result {
            Ok(sample) => row.samples.push(Some(sample)),
            Err(Failure::Unsupported) => self.declined[index] = true,
            Err(Failure::Failed(why)) => {
                row.samples.push(None);
                row.failure = Some(why);
            }
        }
    }

    /// What has come of it, if anything has.
    fn finish(self) -> Option<Finding> {
        let rows = self.rows.into_iter().zip(self.declined);
        let rows: Vec<Row> = rows.filter(|(_, declined)| !declined).map(|(row, _)| row).collect();
        if rows.iter().all(|row| row.samples.is_empty()) {
            return None;
        }
        Some(Finding {
            scene: self.case.scene.to_owned(),
            title: self.case.title.clone(),
            columns: self.case.columns.to_vec(),
            rows,
            others: self.others.as_secs_f64() / self.time.as_secs_f64(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::*;
    use crate::column::{Column, Role};
    use crate::failure::failed;
    use crate::load::Span;
    use crate::peer;

    const COLUMNS: &[Column] =
        &[Column { title: std::borrow::Cow::Borrowed("ns"), role: Role::Cost }];

    fn bench() -> Bench {
        let span = Span { warm_up: Duration::ZERO, measured: Duration::ZERO };
        Bench { quick: true, processors: vec![0], span, target: Duration::ZERO, descriptors: 1000 }
    }

    fn case(
        rounds: usize,
        run: impl Fn(&Bench, &Peer) -> Result<Vec<f64>, Failure> + 'static,
    ) -> Case {
        let title = format!("{rounds} rounds");
        Case { scene: "test", title, columns: COLUMNS, rounds, run: Run::Alone(Box::new(run)) }
    }

    const BUDGET: Budget = Budget { rounds: 3, time: Duration::from_secs(100) };

    #[test]
    fn peers_begin_in_turn_and_a_case_has_no_more_rounds_than_it_wants() {
        let peers: Vec<&'static Peer> = peer::ALL.iter().take(2).collect();
        let names = Rc::new(Cell::new(String::new()));
        let seen = Rc::clone(&names);
        let one = case(usize::MAX, move |_, peer| {
            seen.set(seen.take() + peer.name + " ");
            Ok(vec![1.0])
        });
        let once = case(1, |_, _| Ok(vec![1.0]));
        let findings = all(&[one, once], &bench(), &peers, BUDGET);
        let (a, b) = (peers[0].name, peers[1].name);
        assert_eq!(names.take(), format!("{a} {b} {b} {a} {b} {a} "));
        assert_eq!(findings.iter().map(Finding::rounds).collect::<Vec<_>>(), [3, 1]);
    }

    #[test]
    fn who_fails_first_is_out_and_who_fails_later_comes_again() {
        let peers: Vec<&'static Peer> = peer::ALL.iter().take(3).collect();
        let calls = Cell::new(0);
        let run = move |_: &Bench, peer: &Peer| {
            calls.set(calls.get() + 1);
            match peer.name {
                name if name == peer::ALL[0].name => Err(failed("always")),
                name if name == peer::ALL[1].name && calls.get() == 4 => Err(failed("once")),
                name if name == peer::ALL[2].name => Err(Failure::Unsupported),
                _ => Ok(vec![1.0]),
            }
        };
        let findings = all(&[case(usize::MAX, run)], &bench(), &peers, BUDGET);
        let [always, once] = findings[0].rows.as_slice() else { panic!("two peers have it") };
        assert_eq!((always.completed(), always.failure.as_deref()), (0, Some("always")));
        assert_eq!((once.completed(), once.failure.as_deref()), (2, Some("once")));
    }

    #[test]
    fn without_time_there_is_nothing() {
        let peers: Vec<&'static Peer> = peer::ALL.iter().take(1).collect();
        let late = Budget { rounds: 3, time: Duration::ZERO };
        let findings = all(&[case(1, |_, _| Ok(vec![1.0]))], &bench(), &peers, late);
        assert!(findings.is_empty());
    }
}
