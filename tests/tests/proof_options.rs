//! What a request costs that sets options: the system calls that set them, and no other.
//!
//! The program runs under `strace`. Its servers read by one descriptor and write by a clone of it, and each
//! sets its timeout for each request. The kernel is never asked what they are. Once all wait, with timeouts
//! that are far away, no call is made.
#![cfg(target_os = "linux")]

mod proof_support;

use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime};

use proof_support::start;
use tests::within_bounds;

const TO_SETTLE: Duration = Duration::from_secs(1);
const WATCHED: Duration = Duration::from_millis(500);

/// Of each connection.
const REQUESTS: usize = 100;
const CONNECTIONS: usize = 4;

#[test]
fn options_that_are_set_for_each_request_cost_the_calls_that_set_them() {
    within_bounds("options", || {
        let program = Path::new(env!("CARGO_BIN_EXE_options"));
        let Some((traced, line)) = start(program, &[&REQUESTS.to_string()]) else { return };
        assert_eq!(line, "done");
        thread::sleep(TO_SETTLE);
        let from = SystemTime::now();
        thread::sleep(WATCHED);
        let to = SystemTime::now();
        let trace = traced.stop().expect("a trace");
        let n_called = |names: &[&str]| {
            let all = trace.active_between(SystemTime::UNIX_EPOCH, SystemTime::now());
            all.filter(|call| names.contains(&&*call.name)).count()
        };
        let n_set = n_called(&["setsockopt"]);
        assert!(n_set >= 2 * CONNECTIONS * REQUESTS, "only {n_set} options were set");
        // What a start takes.
        let n_asked = n_called(&["getsockopt", "fcntl", "ioctl"]);
        assert!(n_asked < REQUESTS, "the kernel was asked {n_asked} times");
        let idle: Vec<_> = trace.active_between(from, to).collect();
        assert!(idle.is_empty(), "{} calls while all wait: {idle:#?}", idle.len());
    });
}
