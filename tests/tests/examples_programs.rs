//! The examples that compute something and end: both builds print the same, and what it should be.

mod examples_support;

use examples_support::{Build, Program, assert_os_threads, n_helped_max, n_os_threads_of, on_both};

/// Runs an example to its end, which has to be a success, and returns the lines it printed.
fn output(name: &str) -> Vec<String> {
    on_both(|build| {
        let (output, status) = Program::start(build, name, &[]).wait();
        assert!(status.success(), "{name}: {status}");
        output
    })
}

#[test]
fn every_example_is_built_twice_from_one_file() {
    // Goal: no example is missing from the control, and no file is built by one package alone.
    let paths = |manifest: &str| -> Vec<String> {
        let lines = manifest.lines();
        lines.filter_map(|line| line.strip_prefix("path = ")).map(str::to_owned).collect()
    };
    let on_shim = paths(include_str!("../../examples/Cargo.toml"));
    let on_os_threads = paths(include_str!("../../examples/os-threads/Cargo.toml"));
    let from_there: Vec<String> =
        on_shim.iter().map(|path| path.replacen("src/", "../src/", 1)).collect();
    assert_eq!(from_there, on_os_threads);

    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/src/bin");
    assert_eq!(std::fs::read_dir(directory).unwrap().count(), on_shim.len());
}

#[test]
fn counter_loses_no_addition() {
    assert_eq!(output("counter"), ["500000"]);
}

#[test]
fn pipeline_delivers_every_picture_once() {
    let expected = "1000 pictures uploaded, 32000 bytes, ids add up to 499500";
    assert_eq!(output("pipeline"), [expected]);
}

#[test]
fn life_moves_a_glider_by_a_cell_each_four_generations() {
    let output = output("life");
    assert_eq!(output.len(), 26);
    let (before, after) = output.split_at(13);
    assert_eq!(before[0], "generation 0");
    assert_eq!(after[0], "generation 48");
    assert_eq!(before.concat().matches('#').count(), 5);
    for (before, after) in before[1..].iter().zip(&after[1..]) {
        let (left, right) = before.split_at(12);
        assert_eq!(*after, [right, left].concat());
    }
}

#[test]
fn pool_map_keeps_the_order_of_the_items() {
    let squares: Vec<String> = (0..20).map(|n| (n * n).to_string()).collect();
    assert_eq!(output("pool_map"), [squares.join(" ")]);
}

#[test]
fn cpu_sums_are_right() {
    let sum = |x: u64| -> u64 {
        // Whole rounds of 0 + 1 + … + (x - 1), and the beginning of one more.
        let (n_rounds, n_more) = (10_000_000 / x, 10_000_000 % x);
        n_rounds * (x * (x - 1) / 2) + n_more * n_more.saturating_sub(1) / 2
    };
    let expected: Vec<String> = (1..=15).map(|x| format!("i % {x}: {}", sum(x))).collect();
    assert_eq!(output("cpu_sums"), expected);
}

#[test]
fn child_is_checked_polled_and_terminated() {
    let expected = [
        "checked: sort ended with exit status: 0, and wrote apple, pear, plum",
        "checked: ls ended with exit status: 2, and wrote nothing",
        "polled: worked until sleep ended with exit status: 0",
        "timed out: sleep ended with signal: 15 (SIGTERM)",
    ];
    assert_eq!(output("child"), expected);
}

/// Runs `children`, and returns what it says of how many OS threads it took.
fn run_children(build: Build, n: &str, seconds: &str) -> Option<usize> {
    let (printed, status) = Program::start(build, "children", &[n, seconds]).wait();
    assert!(status.success(), "{status}");
    println!("{build:?}: {printed:?}");
    assert_eq!(printed[0], format!("{n} children ended well"));
    // One after the other they would sleep for 50 s and more.
    let took = printed[1].strip_prefix("took ").and_then(|took| took.strip_suffix(" s"));
    assert!(took.unwrap().parse::<f64>().unwrap() < 20.0, "{took:?}");
    n_os_threads_of(&printed[2])
}

#[test]
fn children_are_started_and_awaited_at_once_on_few_os_threads() {
    for (n, seconds) in [("100", "0.5"), ("200", "0.3")] {
        run_children(Build::OsThreads, n, seconds);
        assert_os_threads(n_helped_max(), || run_children(Build::Shim, n, seconds));
    }
}
