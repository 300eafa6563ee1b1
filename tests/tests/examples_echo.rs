//! The echo servers: each build of each tells the same client the same, and prints the same.

mod examples_support;

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use examples_support::{Build, Client, PATIENCE, Program, on_both};
use tests::counts::eventually;

/// Long enough for an answer that should not come to arrive.
const A_WHILE: Duration = Duration::from_millis(300);

/// The next `n` lines of a server, with the client's letter for its address.
fn lines(server: &Program, n: usize, clients: &[(&str, &str)]) -> Vec<String> {
    let mut lines = server.lines(n);
    for line in &mut lines {
        for (address, letter) in clients {
            *line = line.replace(address, letter);
        }
    }
    lines
}

/// One client, two messages; returns what the server printed.
fn conversation(build: Build, name: &str) -> Vec<String> {
    let (server, address) = Program::serve(build, name, &[]);
    let mut client = Client::connect(address);
    let a = client.name();
    client.echo("hello\n");
    client.echo("and again\n");
    assert_eq!(client.hang_up(), b"");
    lines(&server, 4, &[(&a, "A")])
}

const ONE_CONVERSATION: [&str; 4] =
    ["A connected", "A sent 6 bytes", "A sent 10 bytes", "A left after 16 bytes"];

/// A mebibyte there and back, sent and read at the same time.
fn bulk(build: Build, name: &str, arguments: &[&str]) {
    let (_server, address) = Program::serve(build, name, arguments);
    let sent: Vec<u8> = (0..1 << 20).map(|i: u32| (i.wrapping_mul(i) >> 7) as u8).collect();
    let mut client = Client::connect(address);
    thread::scope(|scope| {
        let writer = TcpStream::try_clone(client.stream()).unwrap();
        let sent = &sent;
        scope.spawn(move || {
            use std::io::Write;
            (&writer).write_all(sent).unwrap();
            writer.shutdown(std::net::Shutdown::Write).unwrap();
        });
        assert!(client.rest() == *sent, "not what was sent");
    });
}

#[test]
fn echo_says_what_connects_arrives_and_leaves() {
    assert_eq!(on_both(|build| conversation(build, "echo")), ONE_CONVERSATION);
}

#[test]
fn echo_one_at_a_time_says_what_connects_arrives_and_leaves() {
    assert_eq!(on_both(|build| conversation(build, "echo_one_at_a_time")), ONE_CONVERSATION);
}

#[test]
fn echo_nonblocking_says_what_connects_arrives_and_leaves() {
    assert_eq!(on_both(|build| conversation(build, "echo_nonblocking")), ONE_CONVERSATION);
}

#[test]
fn echo_with_explicit_imports_does_what_the_other_builds_do() {
    assert_eq!(conversation(Build::Shim, "echo_explicit"), ONE_CONVERSATION);
    bulk(Build::Shim, "echo_explicit", &[]);
}

#[test]
fn echo_poll_does_what_the_other_echoes_do() {
    assert_eq!(conversation(Build::Shim, "echo_poll"), ONE_CONVERSATION);
    bulk(Build::Shim, "echo_poll", &[]);
}

#[test]
fn echo_poll_serves_many_and_leaves_the_processor_alone() {
    serves_many_and_leaves_the_processor_alone(Build::Shim, "echo_poll");
}

#[test]
fn every_echo_returns_a_mebibyte() {
    on_both(|build| bulk(build, "echo", &["--quiet"]));
    for name in ["echo", "echo_one_at_a_time", "echo_pool", "echo_processes", "echo_nonblocking"] {
        on_both(|build| bulk(build, name, &[]));
    }
}

#[test]
fn echo_quiet_prints_only_where_it_listens() {
    on_both(|build| {
        let (server, address) = Program::serve(build, "echo", &["--quiet"]);
        let mut client = Client::connect(address);
        client.echo("hello\n");
        client.hang_up();
        // The handler has ended by now, or soon; ended, the program has no more to print.
        thread::sleep(A_WHILE);
        assert_eq!(server.end(), Vec::<String>::new());
    });
}

#[test]
fn echo_survives_a_reset() {
    // Goal: a client that breaks the connection is one error line, and the next one is served.
    let error = on_both(|build| {
        let (server, address) = Program::serve(build, "echo", &[]);
        let mut client = Client::connect(address);
        let a = client.name();
        client.echo("hello\n");
        rustix::net::sockopt::set_socket_linger(client.stream(), Some(Duration::ZERO)).unwrap();
        drop(client);
        let error = server.error_line().replace(&a, "A");
        Client::connect(address).echo("next\n");
        error
    });
    assert!(error.starts_with("A left: Connection reset by peer"), "{error}");
}

#[test]
fn echo_one_at_a_time_lets_the_second_wait_for_the_first() {
    let printed = on_both(|build| {
        let (server, address) = Program::serve(build, "echo_one_at_a_time", &[]);
        let mut first = Client::connect(address);
        first.echo("first\n");
        let mut second = Client::connect(address);
        second.say("second\n");
        assert!(second.hears_nothing_for(A_WHILE));
        let (a, b) = (first.name(), second.name());
        first.hang_up();
        assert_eq!(second.line(), "second");
        second.hang_up();
        lines(&server, 6, &[(&a, "A"), (&b, "B")])
    });
    let expected = [
        "A connected",
        "A sent 6 bytes",
        "A left after 6 bytes",
        "B connected",
        "B sent 7 bytes",
        "B left after 7 bytes",
    ];
    assert_eq!(printed, expected);
}

#[test]
fn echo_pool_serves_ten_and_lets_the_eleventh_wait() {
    let acceptors = on_both(|build| {
        let (server, address) = Program::serve(build, "echo_pool", &[]);
        let mut clients: Vec<Client> = (0..10).map(|_| Client::connect(address)).collect();
        for client in &mut clients {
            client.echo("hello\n");
        }
        let mut connected = BTreeSet::new();
        for line in server.lines(20) {
            if let Some(who) = line.strip_suffix(" connected") {
                let (acceptor, _) = who.split_once(' ').expect("`[acceptor] client`");
                connected.insert(acceptor.to_owned());
            }
        }

        let mut eleventh = Client::connect(address);
        eleventh.say("me too\n");
        assert!(eleventh.hears_nothing_for(A_WHILE));
        clients.pop().unwrap().hang_up();
        assert_eq!(eleventh.line(), "me too");
        connected
    });
    let expected: BTreeSet<String> = (0..10).map(|i| format!("[acceptor-{i}]")).collect();
    assert_eq!(acceptors, expected);
}

#[test]
fn echo_processes_share_one_listener_until_the_last() {
    // Goal: whichever process accepts, the listener is the same. Method: 30 clients, then one child
    // is killed after the other; what is left serves; the last child ends with the parent.
    on_both(|build| {
        let (server, address) = Program::serve(build, "echo_processes", &[]);
        let children: Vec<String> = server
            .lines(3)
            .iter()
            .map(|line| line.strip_suffix("] serves").expect("`[child] serves`")[1..].to_owned())
            .collect();

        let mut clients: Vec<Client> = (0..30).map(|_| Client::connect(address)).collect();
        for client in &mut clients {
            client.echo("hello\n");
        }
        for client in clients {
            client.hang_up();
        }
        let mut n_connected = 0;
        for line in server.lines(90) {
            let child = line[1..].split(']').next().unwrap().to_owned();
            assert!(children.contains(&child), "{line}");
            n_connected += usize::from(line.ends_with(" connected"));
        }
        assert_eq!(n_connected, 30);

        for (n_ended, child) in children[..2].iter().enumerate() {
            kill(child);
            for _ in 0..10 {
                let mut client = Client::connect(address);
                client.echo("hello\n");
                client.hang_up();
            }
            let left = &children[n_ended + 1..];
            let mut n_lines = 0;
            while n_lines < 30 {
                let line = server.line();
                if !line.contains(" ended: ") {
                    assert!(left.iter().any(|child| line.contains(child)), "{child} ended: {line}");
                    n_lines += 1;
                }
            }
        }

        drop(server);
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(address).is_ok() {
            assert!(Instant::now() < deadline, "a child survives its parent");
            thread::sleep(Duration::from_millis(50));
        }
    });
}

/// Kills a child of a program under test.
fn kill(process: &str) {
    let id = rustix::process::Pid::from_raw(process.parse().unwrap()).unwrap();
    rustix::process::kill_process(id, rustix::process::Signal::KILL).unwrap();
    // It is not ours to wait for: when it has ended it is not listed, or as one that is to be waited for.
    let stat = format!("/proc/{process}/stat");
    let has_ended = || fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "));
    eventually("it has ended", has_ended);
    if cfg!(not(target_os = "linux")) {
        thread::sleep(A_WHILE);
    }
}

#[test]
fn echo_nonblocking_serves_many_and_leaves_the_processor_alone() {
    on_both(|build| serves_many_and_leaves_the_processor_alone(build, "echo_nonblocking"));
}

fn serves_many_and_leaves_the_processor_alone(build: Build, name: &str) {
    let (server, address) = Program::serve(build, name, &[]);
    let mut clients: Vec<Client> = (0..20).map(|_| Client::connect(address)).collect();
    for i in 0..3 {
        for client in &mut clients {
            client.echo(&format!("message {i}\n"));
        }
    }
    let before = server.processor_time();
    thread::sleep(Duration::from_secs(1));
    if let (Some(before), Some(after)) = (before, server.processor_time()) {
        let used = after - before;
        assert!(used < Duration::from_millis(400), "used {used:?} of one idle second");
    }
}

#[test]
fn echo_sleepy_serves_others_while_a_handler_sleeps() {
    let printed = on_both(|build| {
        let (server, address) = Program::serve(build, "echo_sleepy", &["1.5"]);
        let mut sleeper = Client::connect(address);
        let start = Instant::now();
        sleeper.say("sleep\n");
        let a = sleeper.name();
        let mut printed = lines(&server, 3, &[(&a, "A")]);

        let mut other = Client::connect(address);
        other.echo("hello\n");
        let b = other.name();
        other.hang_up();
        assert_eq!(sleeper.line(), "sleep");
        assert!(start.elapsed() >= Duration::from_millis(1500));
        sleeper.hang_up();
        printed.extend(lines(&server, 5, &[(&a, "A"), (&b, "B")]));
        printed
    });
    let expected = [
        "A connected",
        "A sent `sleep`",
        "A sleeps",
        "B connected",
        "B sent `hello`",
        "B left",
        "A is awake",
        "A left",
    ];
    assert_eq!(printed, expected);
}
