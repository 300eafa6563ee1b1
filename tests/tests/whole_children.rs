//! Children of whole programs: what waits for them, and what starts them, finds the same on OS threads and on
//! green ones.
#![cfg(all(
    target_os = "linux",
    target_env = "gnu",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]

use tests::whole::same;

#[test]
fn children_are_waited_for_green_and_tell_what_the_kernel_tells() {
    let output = same("children", &[]);
    assert!(output.contains("waits well: yes\nall ended: 0\n"), "{output}");
    assert!(output.contains("started and ended: 100\n"), "{output}");
    assert!(output.contains("one of three: 21\n"), "{output}");
}

#[test]
fn a_program_begins_with_the_mask_of_the_thread_that_starts_it() {
    let output = same("exec", &[]);
    assert_eq!(output.matches("SigBlk:\t0000000000000200\n").count(), 10, "{output}");
    assert!(output.contains("given 2 3 4 5 6 7 8\n"), "{output}");
}
