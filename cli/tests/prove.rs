//! `sylvan prove` on programs that do not go on: it says so, and takes nobody else's answers for theirs.
#![cfg(target_os = "linux")]

use std::io::{self, Write};
use std::net::TcpListener;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// Proves a shell command; `None` where there is no tracer, with a word about it.
fn prove(options: &[&str], script: &str) -> Option<(Option<i32>, String, String)> {
    let output = Command::new(env!("CARGO_BIN_EXE_sylvan"))
        .arg("prove")
        .args(options)
        .args(["--", "sh", "-c", script])
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    if stderr.contains("`strace` is missing") {
        // Straight to the descriptor: the test harness would keep it to itself.
        let line = format!("SKIPPED, nothing was proved: {stderr}\n");
        io::stderr().write_all(line.as_bytes()).unwrap();
        return None;
    }
    Some((output.status.code(), stdout, stderr))
}

#[test]
fn a_server_whose_address_is_taken_is_said_to_have_ended() {
    // Somebody else's server, which answers.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for client in listener.incoming() {
            thread::spawn(move || {
                let client = client.unwrap();
                io::copy(&mut &client, &mut &client)
            });
        }
    });
    let script = "echo starting >&2; echo address in use >&2; exit 3";
    let options = ["--seconds", "3", "--clients", "2", &address];
    let Some((code, stdout, stderr)) = prove(&options, script) else { return };
    assert_eq!(code, Some(2), "{stdout}{stderr}");
    let error =
        "error: the program ended by itself, exit status: 3; its last words: address in use\n";
    assert!(stderr.ends_with(error), "{stderr}");
    // What it wrote is seen, too, and no load of the other server's is.
    assert!(stderr.starts_with("starting\naddress in use\n"), "{stderr}");
    assert!(!stdout.contains("echoed"), "{stdout}");
}

#[test]
fn nobody_waits_for_a_server_that_has_ended() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let begin = Instant::now();
    let options = ["--clients", "1", &free];
    let Some((code, _, stderr)) = prove(&options, "sleep 0.3; echo no >&2; exit 5") else { return };
    assert_eq!(code, Some(2), "{stderr}");
    assert!(
        stderr.ends_with("the program ended by itself, exit status: 5; its last words: no\n"),
        "{stderr}"
    );
    // A server that goes on is waited for three times as long.
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
}

#[test]
fn a_program_without_clients_may_end_and_how_it_did_is_said() {
    let Some((_, stdout, stderr)) = prove(&["--seconds", "20"], "exit 4") else { return };
    assert!(stdout.contains("the program ended by itself, exit status: 4\n"), "{stdout}{stderr}");
}
