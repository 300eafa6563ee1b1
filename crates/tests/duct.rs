//! `duct`, with children that it starts and ends.

use std::io::Read;
use std::time::{Duration, Instant};

use crates::{Watch, crowd, green};
use duct::cmd;

const CROWD: usize = 30;

#[test]
fn thirty_pipelines_at_once_give_their_results() {
    green(|| {
        let watch = Watch::begin();
        let sums = crowd(CROWD, |i| {
            let numbers = (0..=i).map(|n| format!("{n}\n")).collect::<String>();
            let sum = "s=0; while read n; do s=$((s + n)); done; sleep 0.1; echo $s";
            cmd!("cat").stdin_bytes(numbers).pipe(cmd!("sh", "-c", sum)).read().unwrap()
        });
        watch.at_most(4 * CROWD, "thirty of duct's pipelines");
        for (i, sum) in sums.into_iter().enumerate() {
            assert_eq!(sum, (i * (i + 1) / 2).to_string());
        }
    });
}

#[test]
fn a_child_that_fails_is_an_error_and_one_that_lasts_can_be_killed() {
    green(|| {
        let error = cmd!("sh", "-c", "exit 7").run().unwrap_err();
        assert!(error.to_string().contains("exited with code 7"), "{error}");
        let begin = Instant::now();
        let lasts = cmd!("sleep", "60").unchecked().start().unwrap();
        assert!(lasts.wait_timeout(Duration::from_millis(50)).unwrap().is_none());
        lasts.kill().unwrap();
        assert!(!lasts.into_output().unwrap().status.success());
        assert!(begin.elapsed() < Duration::from_secs(30));
    });
}

#[test]
fn a_reader_reads_while_the_child_writes() {
    green(|| {
        let mut lines = String::new();
        let script = "for n in 1 2 3; do echo $n; sleep 0.02; done; echo no >&2";
        cmd!("sh", "-c", script)
            .stderr_to_stdout()
            .reader()
            .unwrap()
            .read_to_string(&mut lines)
            .unwrap();
        assert_eq!(lines, "1\n2\n3\nno\n");
    });
}
