//! The JVM: a thread for each client, garbage collection beside them, and its way of ending.

use programs::{Threads, client, on_each, servers};
use rustix::process::Signal;

#[test]
fn a_thread_for_each_of_five_hundred_clients() {
    on_each(&["java", "javac"], |threads| {
        let program = servers::java(threads);
        client::echo_crowd(program.address, 500, || {
            let n = program.os_threads();
            assert_eq!(n > 500, threads == Threads::Os, "{n} OS threads");
        });
        // Handlers of its own run at the end.
        let status = program.stopped_by(Signal::TERM);
        assert_eq!(status.code(), Some(128 + 15), "{threads:?}: {status}");
    });
}
