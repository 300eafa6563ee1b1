#!/usr/bin/env bash
#
# Expected: what a switch of stacks costs does not depend on who calls it. corosensei (0.3.4) documents in its README
# that it has been optimized to where a switch takes a handful of cycles, with 4.3 ns on a Ryzen 9 3950X.
#
# What happens: that holds where the coroutine calls `suspend` in the very function that it was started with, and the
# compiler inlines it. With one function between them, which is not inlined, a switch there and back takes nine times
# as long (1.9 ns and 17 ns on an AMD EPYC), and with two no more than with one. A switch is a `call` one way and
# a `ret` the other (arch/x86_64.rs), which the processor's stack of return addresses pairs up. With a call in between
# it predicts for each `ret` where that call would have returned to, so each switch is mispredicted, and the return of
# the function afterwards as well. What is suspended deep in a program, as a coroutine that waits within a library
# does, always has calls in between.
#
# Seen with: rustc 1.95.0, corosensei 0.3.4 (fetched here from crates.io), x86-64, Linux 6.18.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "switches"
version = "0.0.0"
edition = "2021"

[dependencies]
corosensei = "=0.3.4"
TOML
cat >"$work/src/main.rs" <<'RUST'
use std::hint::black_box;
use std::time::Instant;

use corosensei::{Coroutine, CoroutineResult, Yielder};

const SWITCHES: u32 = 200_000;

type Y = Yielder<(), ()>;

#[inline(never)]
fn one(yielder: &Y) {
    yielder.suspend(());
    black_box(());
}

#[inline(never)]
fn two(yielder: &Y) {
    one(yielder);
    black_box(());
}

/// The least of some rounds, in nanoseconds there and back.
fn measure(suspend: fn(&Y) -> (), inline: bool) -> f64 {
    let mut pair = [(), ()].map(|()| {
        Coroutine::<(), (), ()>::new(move |yielder, ()| loop {
            if inline {
                yielder.suspend(());
            } else {
                suspend(yielder);
            }
        })
    });
    (0..15)
        .map(|_| {
            let begin = Instant::now();
            for _ in 0..SWITCHES / 2 {
                for coroutine in &mut pair {
                    assert!(matches!(coroutine.resume(()), CoroutineResult::Yield(())));
                }
            }
            begin.elapsed().as_nanos() as f64 / f64::from(SWITCHES)
        })
        .fold(f64::MAX, f64::min)
}

fn main() {
    let none = measure(one, true);
    let [of_one, of_two] = [one as fn(&Y), two].map(|suspend| measure(suspend, false));
    println!("a switch there and back: {none:.1} ns");
    println!("with suspend in a function of its own: {of_one:.1} ns, in two: {of_two:.1} ns");
    assert!(of_one > 2.5 * none, "one call costs {:.1} ns", of_one - none);
}
RUST
cargo run --quiet --release --manifest-path "$work/Cargo.toml"
