//! Locks of whole programs, and what else waits by an address: each program finds the same on OS threads and on
//! green ones.
#![cfg(all(
    target_os = "linux",
    target_env = "gnu",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]

use tests::whole::same;

/// Whether a line was printed so often.
fn n_lines(output: &str, line: &str) -> usize {
    output.lines().filter(|it| *it == line).count()
}

#[test]
fn a_mutex_of_each_type_says_what_glibcs_does() {
    let output = same("mutex", &[]);
    assert!(output.contains("counted 45000, 45000\n"), "{output}");
    assert_eq!(n_lines(&output, "a child unlocks what it has locked before: 7"), 2, "{output}");
}

#[test]
fn no_signal_of_a_condition_is_lost() {
    let output = same("cond", &[]);
    assert!(output.contains("taken 12000, left 0, sum 48000\n"), "{output}");
    assert!(!output.contains("a signal was lost"), "{output}");
}

#[test]
fn a_reader_writer_lock_of_each_kind_lets_in_whom_glibcs_does() {
    let output = same("rwlock", &[]);
    for kind in 0..3 {
        let line = format!("kind {kind}: written 8000 8000, read 24000, wrong 0");
        assert_eq!(n_lines(&output, &line), 1, "{output}");
    }
}

#[test]
fn a_barrier_has_rounds_and_is_destroyed_by_the_first_that_leaves() {
    let output = same("barrier", &[]);
    assert!(output.contains("told so 500, early 0, counted 3500\n"), "{output}");
}

#[test]
fn a_semaphore_is_posted_by_handlers_and_by_other_processes() {
    let output = same("semaphore", &[]);
    assert!(output.contains("taken 20000, left 0\n"), "{output}");
    assert!(output.contains("sem_wait(&items): -1 EINTR\n"), "{output}");
}

#[test]
fn futexes_by_number_answer_as_the_kernels() {
    let output = same("futex", &[]);
    assert_eq!(n_lines(&output, "to and fro"), 2, "{output}");
}
