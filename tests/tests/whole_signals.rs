//! Signals of whole programs: for one thread, and for the process.

use std::path::Path;
use std::process::Command;

use tests::whole::{self, same};

#[test]
fn a_signal_reaches_a_thread_wherever_it_is() {
    let seen = same("signal_directed", &[]);
    assert!(seen.contains("sem_wait -1 EINTR; on the thread 1, on its stack 1"), "{seen}");
    assert!(seen.contains("computing\n  ran 1, on the thread 1"), "{seen}");
    assert!(seen.contains("3 values: 1 2 3"), "{seen}");
    assert!(seen.contains("3 in all, 2 deep"), "{seen}");
}

#[test]
fn a_default_action_is_the_kernels() {
    same("signal_directed", &["default"]);
    same("signal_process", &["default"]);
}

#[test]
fn a_signal_for_the_process_reaches_who_has_it_open_or_waits_for_it() {
    let seen = same("signal_process", &[]);
    assert!(seen.contains("sem_wait -1, EINTR 1, ran 1, here 1"), "{seen}");
    assert!(seen.contains("sigwait 0, USR1 1"), "{seen}");
    assert!(seen.contains("in the child: USR2 1, USR1 0"), "{seen}");
}

#[test]
fn a_signal_for_the_process_is_not_lost_where_its_handler_runs_already() {
    let seen = same("signal_chain", &[]);
    assert!(seen.contains("handled: 300 and 300"), "{seen}");
    assert!(seen.contains("left the spin lock: 3"), "{seen}");
}

#[test]
fn a_jump_out_of_a_handler_puts_the_mask_back() {
    let seen = same("jumps", &[]);
    assert!(!seen.contains("not delivered"), "{seen}");
    assert!(seen.contains("out of waits and loops 20 times, USR1 blocked 0"), "{seen}");
}

#[test]
fn a_handler_does_not_run_in_the_midst_of_a_call_of_the_layer() {
    // On an OS thread it does: what it interrupts there is libc, which is made for that.
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("whole/called_back.c");
    let flags = ["-std=gnu11", "-fno-builtin", "-rdynamic"];
    let program = whole::compile(&source, "cc", &flags);
    let ended = whole::finish(whole::green(&mut Command::new(program)));
    let seen = String::from_utf8_lossy(&ended.stdout);
    assert_eq!(seen, "in the function 1, in the call 0, then 1\n");
}

#[test]
fn a_signal_reaches_a_thread_that_computes_in_a_function_which_the_layer_has_called() {
    for what in ["thread", "once"] {
        assert_eq!(same("reached", &[what]), "ran 1, result -7\n");
    }
}

#[test]
fn all_threads_change_their_group_beside_some_that_wait_for_signals() {
    let seen = same("change_group", &[]);
    assert!(seen.contains("another: setgid 0, setegid 0\n"), "{seen}");
    assert!(seen.ends_with("handled 1\n"), "{seen}");
}

#[test]
fn a_timer_for_a_threads_processor_time_rings_while_it_computes() {
    let seen = same("timers", &[]);
    assert_eq!(seen.matches("made: 0\nbefore: 0\nafter: 1, in time: 1\n").count(), 2, "{seen}");
}

#[test]
fn a_timer_for_the_processor_time_of_the_process_rings_for_the_thread_that_computes() {
    let seen = same("computes", &[]);
    assert_eq!(seen.matches("by who computes, wrong 0\n").count(), 6, "{seen}");
    assert_eq!(seen.matches("by itself: 1\n").count(), 2, "{seen}");
    assert!(seen.ends_with("after exec: every 5000 us, is set: 1\n"), "{seen}");
}

#[test]
fn a_handler_of_a_fault_is_the_threads() {
    for installed in ["first", "later"] {
        let seen = same("fault_handlers", &[installed]);
        assert!(seen.contains("in the handler: HUP 1, USR1 1, USR2 1, SEGV 1, TERM 0"), "{seen}");
        assert!(seen.contains("told: HUP 1, USR1 0, USR2 0, SEGV 0, TERM 0"), "{seen}");
        assert!(seen.contains("USR2 ran 1, inside 0"), "{seen}");
        assert!(seen.contains("jumped 20 times"), "{seen}");
        assert!(seen.contains("handled: 1500"), "{seen}");
    }
}

#[test]
fn a_handler_on_main_may_do_what_main_is_in_the_midst_of() {
    let seen = same("main_handlers", &[]);
    assert_eq!(seen.matches(": often 1, blocked 0\n").count(), 4, "{seen}");
    assert!(seen.contains("told something else: 0\nonce: 200\n"), "{seen}");
}

#[test]
fn timers_of_processor_time_begin_and_end_with_who_has_them() {
    let edges = [
        ("blocked", "pending: 27\nfound: 27\n"),
        ("exec", "was: every 20000 us\ngoes on\n"),
        ("raw exec", "was: every 20000 us\ngoes on\n"),
        ("fork", "in the child: TERM 0, PROF 0\nit ended by 15\n"),
        ("lock", "flock: 0\n"),
    ];
    for (what, seen) in edges {
        assert_eq!(same("timer_edges", &[what]), seen, "{what}");
    }
}

#[test]
fn older_names_of_sigaction_do_as_ever() {
    let seen = same("older_names", &[]);
    assert_eq!(seen.matches("returned as expected 1").count(), 18, "{seen}");
}

#[test]
fn who_takes_all_signals_hears_of_those_that_are_sent() {
    let seen = same("all_actions", &[]);
    assert!(seen.ends_with("first 3, others 0\n"), "{seen}");
    let by_an_older_name = same("all_actions", &["older"]);
    assert!(by_an_older_name.ends_with("first 3, others 0\n"), "{by_an_older_name}");
}
