//! Forks of whole programs.

#![cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"))]

use tests::whole;

#[test]
fn a_child_has_one_thread_and_may_start_others() {
    let said = whole::same("forks", &[]);
    let facts = [
        "main: 40",
        "a thread: 40",
        "the child has worked: 999",
        "a thread whose child exits: 6",
        "sixteen threads: 640",
        "other programs: 18",
        "handlers: 19 19 0",
    ];
    assert_eq!(said.lines().collect::<Vec<_>>(), facts);
}
