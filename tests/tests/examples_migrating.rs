//! The facts of `docs/migrating.md`: how many OS threads its programs take, built from one file on OS threads
//! and on the mirror. The crawler's are in `examples_servers.rs`.

mod examples_support;

use examples_support::{
    Build, Client, Program, assert_os_threads, n_os_threads_max, n_os_threads_of,
};

const N_CLIENTS: usize = 100;
const N_LOGS: usize = 40;

/// Has a server that many clients, each of which is answered and stays; its OS threads then.
fn serve(build: Build) -> Option<usize> {
    let (server, address) = Program::serve(build, "http", &[]);
    let clients: Vec<Client> = (0..N_CLIENTS)
        .map(|_| {
            let mut client = Client::connect(address);
            client.say("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
            assert_eq!(client.line(), "HTTP/1.1 200 OK\r");
            client
        })
        .collect();
    let n_os_threads = server.n_os_threads();
    drop(clients);
    n_os_threads
}

#[test]
fn a_server_takes_an_os_thread_for_each_client_on_std() {
    if let Some(n) = serve(Build::OsThreads) {
        assert_eq!(n, N_CLIENTS + 1);
    }
}

#[test]
fn a_server_takes_few_os_threads_on_the_mirror() {
    assert_os_threads(n_os_threads_max(), || serve(Build::Shim));
}

/// Runs the pipelines to their end; how many OS threads they took.
fn add_up(build: Build) -> Option<usize> {
    let n_logs = N_LOGS.to_string();
    let (printed, status) = Program::start(build, "log_pipelines", &[&n_logs, "2000"]).wait();
    assert!(status.success(), "{status}");
    assert_eq!(printed[0], "80000 lines, 800 of them errors, 7960000 bytes");
    n_os_threads_of(&printed[1])
}

#[test]
fn pipelines_take_an_os_thread_for_each_thread_on_std() {
    if let Some(n) = add_up(Build::OsThreads) {
        // Those that add up and those that parse are there to the end; others begin in between.
        assert!(n > 2 * N_LOGS, "{n} OS threads");
    }
}

#[test]
fn pipelines_take_few_os_threads_on_the_mirror() {
    assert_os_threads(n_os_threads_max(), || add_up(Build::Shim));
}
