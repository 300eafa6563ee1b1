//! Waiting for descriptors and for times in whole programs: each program finds the same on OS threads and on
//! green ones, and green threads hold no OS thread while they wait.
#![cfg(all(
    target_os = "linux",
    target_env = "gnu",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]

use tests::whole::same;

#[test]
fn poll_says_what_the_kernel_says_and_waits_green_for_one_for_two_and_for_many() {
    let output = same("poll", &[]);
    for what in ["one each", "two each", "many each"] {
        assert!(output.contains(&format!("{what}: waits well: yes\n")), "{output}");
        assert!(output.contains(&format!("{what}: heard 300\n")), "{output}");
    }
    assert!(output.contains("of the same: 20\n"), "{output}");
}

#[test]
fn select_leaves_its_sets_and_its_time_as_linux_does() {
    let output = same("select", &[]);
    assert!(output.contains("waits well: yes\nheard 300\n"), "{output}");
}

#[test]
fn a_programs_own_event_loop_waits_green_and_loses_no_event() {
    let output = same("epoll", &[]);
    assert!(output.contains("waits well: yes\nheard 300\n"), "{output}");
    for what in ["by level", "by edge", "once"] {
        assert!(output.contains(&format!("{what}: taken 4000 of 4000\n")), "{output}");
    }
}

#[test]
fn sleeping_takes_as_long_by_each_clock_and_says_what_is_wrong() {
    let output = same("sleep", &[]);
    assert!(output.contains("waits well: yes\nslept: 100, as long\n"), "{output}");
    assert!(!output.contains("another time"), "{output}");
}

#[test]
fn a_host_is_found_as_libc_finds_it_alone_and_in_a_crowd() {
    let output = same("look_ups", &[]);
    assert!(!output.contains("another answer"), "{output}");
    assert!(output.contains("100 the same: 0; "), "{output}");
}

#[test]
fn what_files_queues_and_look_ups_say_is_what_libc_says() {
    let output = same("files", &[]);
    assert!(output.contains("waits well: yes\nreceived: 100\nlocked: 30\n"), "{output}");
}

#[test]
fn a_signal_ends_each_wait_and_the_mask_of_a_wait_lets_it_in() {
    let output = same("interrupted", &[]);
    assert_eq!(output.matches(" opens: -1 EINTR, handled 1, soon\n").count(), 6, "{output}");
    assert!(!output.contains("late"), "{output}");
}

#[test]
fn a_look_that_lets_signals_in_leaves_those_of_the_process_to_who_has_them_open() {
    let said = same("let_in", &[]);
    assert_eq!(said, "look: 0\nwait: -1, EINTR 1, handled 1\n");
}
