//! Ruby: what its threads do to each other, and Puma.

use programs::{Program, Threads, client, guest, on_each, servers};
use rustix::process::Signal;
use std::os::unix::process::ExitStatusExt;

#[test]
fn threads_wait_are_interrupted_and_forked() {
    on_each(&["ruby"], |threads| {
        let mut program = Program::start("threads.rb", |_, _| {
            let mut command = threads.command("ruby");
            command.arg(guest("threads.rb"));
            command
        });
        program.ended();
        let expected = "sum 2001000\nturns 1000\na sleep is timed out\na read is killed\n\
                        an accept is interrupted\na sleep is woken\na child says 3\na command\n";
        assert_eq!(program.log(), expected);
    });
}

#[test]
fn puma_serves_and_stops() {
    on_each(&["puma"], |threads| {
        let program = servers::puma(threads);
        client::crowd(40, |i| {
            let path = if i % 4 == 0 { "/sleep" } else { "/" };
            for _ in 0..5 {
                let answer = client::get(program.address, path)?;
                assert!(answer.ends_with(if path == "/" { "hello" } else { "slept" }), "{answer}");
            }
            Ok(())
        });
        status_of_a_stop(threads, program);
    });
}

/// Puma finishes what it has, and says so.
fn status_of_a_stop(threads: Threads, mut program: Program) {
    program.signal(Signal::TERM);
    let status = program.ended();
    assert!(
        program.log().contains("Gracefully stopping") && status.signal() == Some(15),
        "{threads:?}: {status}\n{}",
        program.log()
    );
}
