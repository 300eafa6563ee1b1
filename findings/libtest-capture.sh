#!/usr/bin/env bash
#
# Expected: a test binary's `--help` says "All tests have their standard output and standard error
# captured by default": the output of a test that passes is not shown, that of one that fails is shown
# below the test's name.
#
# What happens: one panic inside a `Display` that println! is formatting, caught or expected by the test
# (catch_unwind, or a library that catches), ends the capture for the rest of that test, without a word.
# std takes the buffer out of its thread-local place while it formats, and puts it back afterwards, which
# the panic skips. From then on the test's output goes to the terminal, between other tests' lines; even
# the message of that panic does; and if the test fails later, the report has only what came before.
# A panic outside of formatting, and one in format!, leave the capture alone.
#
# Seen with: rustc 1.95.0 (59807616e). It uses the `rustc` that is installed: std has no other package.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/capture.rs" <<'RUST'
use std::fmt::{Display, Formatter, Result};
use std::panic::catch_unwind;

struct Bad;

impl Display for Bad {
    fn fmt(&self, _: &mut Formatter<'_>) -> Result {
        panic!("in Display")
    }
}

#[test]
fn control() {
    println!("control: first");
    assert!(catch_unwind(|| format!("{Bad}")).is_err());
    println!("control: second");
}

#[test]
fn passes() {
    println!("passes: first");
    assert!(catch_unwind(|| println!("{Bad}")).is_err());
    println!("passes: second");
}

#[test]
fn fails() {
    println!("fails: first");
    assert!(catch_unwind(|| println!("{Bad}")).is_err());
    println!("fails: second");
    panic!("at the end");
}
RUST
rustc --version
rustc --edition 2021 --test -o "$work/capture" "$work/capture.rs"

different=0
# check TEST "WHERE EACH LINE IS": "report" is below "---- TEST stdout ----", "leaked" is anywhere else.
check() {
    RUST_BACKTRACE=0 timeout 20 "$work/capture" --exact "$1" >"$work/out" 2>&1 || true
    local seen="" line
    for line in "$1: first" "in Display" "$1: second" "at the end"; do
        if sed -n "/^---- $1 stdout ----/,\$p" "$work/out" | grep -q "$line"; then
            seen+="report "
        elif grep -q "$line" "$work/out"; then
            seen+="leaked "
        else
            seen+="silent "
        fi
    done
    echo "$1: first, panic in Display, second, last panic: $seen"
    [ "$seen" = "$2 " ] || different=1
}
check control "silent silent silent silent"
check passes "silent leaked leaked silent"
check fails "report leaked leaked leaked"
exit $different
