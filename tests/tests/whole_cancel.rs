//! Cancellation of threads in whole programs.

use std::process::Command;

use tests::whole::{program, same, same_command};

#[test]
fn it_acts_at_cancellation_points() {
    let said = same("cancel_points", &[]);
    for fact in ["condition: canceled 1, cleaned 1\n", "relocked 1, free 0\n", "still there\n"] {
        assert!(said.contains(fact), "{said}");
    }
}

#[test]
fn a_thread_that_computes_is_cancelled_where_it_is() {
    assert!(same("cancel_asynchronous", &[]).ends_with("canceled 1, cleaned 3\n"));
}

#[test]
fn an_os_thread_of_the_program_is_cancelled_where_it_waits() {
    let seen = same("cancel_os_thread", &[]);
    assert_eq!(seen.matches("cancelled 1").count(), 15, "{seen}");
}

#[test]
fn who_joins_an_os_thread_is_cancelled() {
    let seen = same("cancel_joiner", &[]);
    assert!(seen.contains("joiner cancelled 1; joined 0, 7"), "{seen}");
}

#[test]
fn threads_are_cancelled_where_the_layer_is_off() {
    for name in ["cancel_points", "cancel_asynchronous"] {
        let program = program(name);
        same_command(name, || {
            let mut command = Command::new(&program);
            command.env("SYLVAN_PRELOAD", "off");
            command
        });
    }
}
