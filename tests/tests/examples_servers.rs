//! The other servers and clients: Fibonacci, the fetcher, chat, the proxy and HTTP.

mod examples_support;

use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use examples_support::{
    Build, Client, Program, Web, assert_os_threads, n_os_threads_max, n_os_threads_of, on_both,
};

#[test]
fn fib_server_answers_by_the_line() {
    let (answers, printed) = on_both(|build| {
        let (server, address) = Program::serve(build, "fib_server", &[]);
        let mut client = Client::connect(address);
        let a = client.name();
        client.say("0\n1\n2\n 10 \n30\nabc\n94\n-1\n");
        let answers: Vec<String> = (0..8).map(|_| client.line()).collect();
        assert_eq!(client.hang_up(), b"");
        let printed: Vec<String> =
            server.lines(2).iter().map(|line| line.replace(&a, "A")).collect();
        (answers, printed)
    });
    let error = |what| format!("error: expected a number from 0 to 93, got `{what}`");
    assert_eq!(answers[..5], ["0", "1", "1", "55", "832040"]);
    assert_eq!(answers[5..], [error("abc"), error("94"), error("-1")]);
    assert_eq!(printed, ["A connected", "A left after 8 requests"]);
}

#[test]
fn fib_server_answers_others_while_a_long_request_runs() {
    on_both(|build| {
        let (_server, address) = Program::serve(build, "fib_server", &[]);
        let mut long = Client::connect(address);
        let mut short = Client::connect(address);
        long.say("41\n");
        for _ in 0..20 {
            short.say("1\n");
            assert_eq!(short.line(), "1");
        }
        assert!(long.hears_nothing_for(Duration::from_millis(1)), "the long one came first");
        assert_eq!(long.line(), "165580141");
    });
}

#[test]
fn fib_long_times_as_many_requests_as_asked() {
    let printed = on_both(|build| {
        let (_server, address) = Program::serve(build, "fib_server", &[]);
        let (printed, status) =
            Program::start(build, "fib_long", &[&address.to_string(), "3"]).wait();
        assert!(status.success(), "{status}");
        let without_time = printed.iter().map(|line| {
            let (what, took) = line.split_once(" took ").expect("a time");
            let took_ms: f64 = took.strip_suffix(" ms").unwrap().parse().unwrap();
            assert!(took_ms > 0.0, "{line}");
            what.to_owned()
        });
        without_time.collect::<Vec<_>>()
    });
    assert_eq!(printed, ["fib(30) = 832040"; 3]);
}

#[test]
fn fib_rate_counts_each_second_while_a_long_request_runs() {
    on_both(|build| {
        let (_server, address) = Program::serve(build, "fib_server", &[]);
        let mut long = Client::connect(address);
        long.say("36\n");
        let (printed, status) =
            Program::start(build, "fib_rate", &[&address.to_string(), "2"]).wait();
        assert!(status.success(), "{status}");
        assert_eq!(printed.len(), 2);
        for line in printed {
            let rate: u64 = line.strip_suffix(" requests/s").unwrap().parse().unwrap();
            assert!(rate > 0, "{line}");
        }
        assert_eq!(long.line(), "14930352");
    });
}

#[test]
fn fib_rate_never_falls_to_zero_while_more_clients_compute_than_there_are_processors() {
    // Goal: long requests do not shut out short ones, without any pool in the program. Method: long
    // requests follow each other on more connections than there are processors, for all the time.
    if tests::are_thread_locals_shared() {
        println!("a thread that computes keeps its worker then");
        return;
    }
    /// Has the long requests end, also when something fails.
    struct Over<'a>(&'a AtomicBool);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    let n_long = 2 * thread::available_parallelism().unwrap().get();
    on_both(|build| {
        let (_server, address) = Program::serve(build, "fib_server", &[]);
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let _over = Over(&over);
            for _ in 0..n_long {
                scope.spawn(|| {
                    let mut long = Client::connect(address);
                    while !over.load(Ordering::Relaxed) {
                        long.say("36\n");
                        assert_eq!(long.line(), "14930352");
                    }
                });
            }
            let load = Program::start(build, "fib_rate", &[&address.to_string(), "3"]);
            let (printed, status) = load.wait();
            assert!(status.success(), "{status}");
            assert_eq!(printed.len(), 3);
            assert!(!printed.contains(&"0 requests/s".to_owned()), "{printed:?}");
        });
    });
}

#[test]
fn fib_rate_fails_when_the_server_goes() {
    let (error, code) = on_both(|build| {
        let (server, address) = Program::serve(build, "fib_server", &[]);
        let load = Program::start(build, "fib_rate", &[&address.to_string()]);
        load.line();
        drop(server);
        let error = load.error_line();
        // The connection ends, or is reset by what was still to be read.
        let (what, _) = error.split_once(':').unwrap_or((&error, ""));
        (what.to_owned(), load.wait().1.code())
    });
    assert_eq!((error.as_str(), code), ("the server has left", Some(1)));
}

/// Takes the count from the last line of what the fetcher printed.
fn n_os_threads(printed: &mut Vec<String>) -> Option<usize> {
    n_os_threads_of(&printed.pop().expect("a last line"))
}

#[test]
fn fetch_prints_pages_and_errors_in_the_order_asked_for() {
    let web = Web::start();
    let port = web.address.port();
    let urls = [
        format!("http://localhost:{port}/12"),
        "ftp://localhost/".to_owned(),
        format!("http://localhost:{port}/missing"),
        "http://localhost:1/".to_owned(),
        format!("http://localhost:{port}/100000"),
    ];
    let printed = on_both(|build| {
        let arguments: Vec<&str> =
            ["3"].into_iter().chain(urls.iter().map(String::as_str)).collect();
        let (mut printed, status) = Program::start(build, "fetch", &arguments).wait();
        assert!(status.success(), "{status}");
        n_os_threads(&mut printed);
        printed
    });
    assert_eq!(printed[0], format!("{}: 200 OK, 12 bytes", urls[0]));
    assert_eq!(printed[1], "ftp://localhost/: expected `http://`");
    assert_eq!(printed[2], format!("{}: 404 Not Found, 4 bytes", urls[2]));
    assert!(printed[3].contains("Connection refused"), "{}", printed[3]);
    assert_eq!(printed[4], format!("{}: 200 OK, 100000 bytes", urls[4]));
    assert_eq!(printed.len(), 5);
}

/// Fetches 200 pages, 20 at once, given on the input; how many OS threads that took.
fn fetch_200_pages(build: Build) -> Option<usize> {
    let web = Web::start();
    let port = web.address.port();
    let urls: Vec<String> = (0..200).map(|n| format!("http://localhost:{port}/{n}")).collect();
    let input: String = urls.iter().map(|url| format!("{url}\n")).collect();
    let (mut printed, status) = Program::start_with_input(build, "fetch", &["20"], &input).wait();
    assert!(status.success(), "{status}");
    let n_os_threads = n_os_threads(&mut printed);
    let expected: Vec<String> =
        urls.iter().enumerate().map(|(n, url)| format!("{url}: 200 OK, {n} bytes")).collect();
    assert_eq!(printed, expected);
    let n_at_once = web.n_at_once_max.load(Ordering::SeqCst);
    assert!((2..=20).contains(&n_at_once), "{n_at_once} requests at once");
    n_os_threads
}

#[test]
fn fetch_of_200_pages_takes_few_os_threads() {
    // The program counts by reading a file, twenty of its threads at a time, and where thread-locals
    // are shared each read takes a helper.
    let shared = sylvan::tls_mode().is_ok_and(|mode| mode == sylvan::TlsMode::Shared);
    let most = n_os_threads_max() + if shared { 20 } else { 0 };
    assert_os_threads(most, || fetch_200_pages(Build::Shim));
}

#[test]
fn fetch_of_200_pages_takes_a_thread_each_on_std() {
    if let Some(n_os_threads) = fetch_200_pages(Build::OsThreads) {
        // The first may have ended before the last began; it waits for its 20 ms at least.
        assert!(n_os_threads > 20, "{n_os_threads} OS threads");
    }
}

/// Enters the room and gives the name asked for.
fn join(address: SocketAddr, name: &str) -> Client {
    let mut client = Client::connect(address);
    assert_eq!(client.line(), "your name?");
    client.say(format!("{name}\n"));
    client
}

#[test]
fn chat_tells_the_others_who_joins_speaks_and_leaves() {
    let (heard, printed) = on_both(|build| {
        let (server, address) = Program::serve(build, "chat", &[]);
        let mut ann = join(address, "ann");
        let mut printed = server.lines(1);
        let mut bob = join(address, "ann");
        let mut heard = vec![bob.line()];
        bob.say("bob\n");
        heard.push(ann.line());
        bob.say("hello\nann\n");
        heard.extend([ann.line(), ann.line()]);
        ann.say("hi bob\n");
        heard.push(bob.line());
        bob.hang_up();
        heard.push(ann.line());
        let _bob_again = join(address, "bob");
        heard.push(ann.line());
        printed.extend(server.lines(6));
        (heard, printed)
    });
    assert_eq!(heard[0], "`ann` is taken, your name?");
    let said = ["* bob joined", "bob: hello", "bob: ann", "ann: hi bob", "* bob left"];
    assert_eq!(heard[1..6], said);
    assert_eq!(heard[6], "* bob joined");
    assert_eq!(printed[0], "* ann joined");
    assert_eq!(printed[1..], heard[1..]);
}

#[test]
fn chat_of_fifty_reaches_everybody() {
    const N_MEMBERS: usize = 50;
    on_both(|build| {
        let (server, address) = Program::serve(build, "chat", &[]);
        let mut members: Vec<Client> = Vec::new();
        for i in 0..N_MEMBERS {
            members.push(join(address, &format!("member{i}")));
            assert_eq!(server.line(), format!("* member{i} joined"));
        }
        for (i, member) in members.iter().enumerate() {
            member.say(format!("I am {i}\n"));
        }
        for (i, member) in members.iter_mut().enumerate() {
            for later in i + 1..N_MEMBERS {
                assert_eq!(member.line(), format!("* member{later} joined"));
            }
            let mut heard: Vec<String> = (1..N_MEMBERS).map(|_| member.line()).collect();
            let others = (0..N_MEMBERS).filter(|&other| other != i);
            let mut expected: Vec<String> =
                others.map(|other| format!("member{other}: I am {other}")).collect();
            heard.sort();
            expected.sort();
            assert_eq!(heard, expected);
        }
    });
}

#[test]
fn proxy_passes_a_half_close_on() {
    // Goal: a server that answers only once the client has said all can still answer.
    let (heard, printed) = on_both(|build| {
        let target = TcpListener::bind("127.0.0.1:0").unwrap();
        let target_address = target.local_addr().unwrap().to_string();
        let counter = thread::spawn(move || {
            let (mut client, _) = target.accept().unwrap();
            let n = std::io::copy(&mut client, &mut std::io::sink()).unwrap();
            client.write_all(format!("{n} bytes\n").as_bytes()).unwrap();
        });
        let (server, address) = Program::serve(build, "proxy", &[&target_address]);
        let client = Client::connect(address);
        let a = client.name();
        client.say(vec![7; 100_000]);
        let heard = String::from_utf8(client.hang_up()).unwrap();
        counter.join().unwrap();
        let printed: Vec<String> =
            server.lines(2).iter().map(|line| line.replace(&a, "A")).collect();
        (heard, printed)
    });
    assert_eq!(heard, "100000 bytes\n");
    assert_eq!(printed, ["A connected", "A left after 100000 bytes there and 13 bytes back"]);
}

#[test]
fn proxy_before_echo_returns_what_many_clients_say_at_once() {
    on_both(|build| {
        let (_echo, target) = Program::serve(build, "echo", &["--quiet"]);
        let (_proxy, address) = Program::serve(build, "proxy", &[&target.to_string()]);
        thread::scope(|scope| {
            for seed in 0..20_u8 {
                scope.spawn(move || {
                    let mut client = Client::connect(address);
                    let sent: Vec<u8> =
                        (0..200_000_u32).map(|i| (i.wrapping_mul(i) >> 5) as u8 ^ seed).collect();
                    thread::scope(|scope| {
                        let mut writer = client.stream().try_clone().unwrap();
                        let sent = &sent;
                        scope.spawn(move || {
                            writer.write_all(sent).unwrap();
                            writer.shutdown(Shutdown::Write).unwrap();
                        });
                        assert!(client.rest() == *sent, "not what client {seed} sent");
                    });
                });
            }
        });
    });
}

#[test]
fn proxy_hangs_up_when_nobody_listens_behind_it() {
    let error = on_both(|build| {
        let (server, address) = Program::serve(build, "proxy", &["127.0.0.1:1"]);
        let mut client = Client::connect(address);
        let a = client.name();
        assert_eq!(client.rest(), b"");
        server.error_line().replace(&a, "A")
    });
    assert!(error.starts_with("A left: Connection refused"), "{error}");
}

/// The answer of the HTTP server to a request.
fn expected(status: &str, body: &str, connection: &str) -> String {
    let len = body.len();
    format!(
        "HTTP/1.1 {status}\r\nServer: example\r\nContent-Type: text/plain\r\n\
         Content-Length: {len}\r\n{connection}\r\n{body}"
    )
}

#[test]
fn http_answers_requests_on_one_connection_in_their_order() {
    let hello = expected("200 OK", "Hello, World!", "");
    let missing = expected("404 Not Found", "not found\n", "");
    let no_body = hello.strip_suffix("Hello, World!").unwrap();
    on_both(|build| {
        let (_server, address) = Program::serve(build, "http", &[]);
        let mut client = Client::connect(address);
        let mut ask = |request: &str, answer: &str| {
            client.say(request);
            assert_eq!(String::from_utf8(client.hear(answer.len())).unwrap(), answer);
        };
        let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        // Keep-alive: one after the other.
        ask(get, &hello);
        ask("GET /none HTTP/1.1\r\nHost: a\r\n\r\n", &missing);
        ask("HEAD / HTTP/1.1\r\n\r\n", no_body);
        // Pipelining: together, with a body in between.
        let post = "POST / HTTP/1.1\r\nContent-Length: 30\r\n\r\nGET / HTTP/1.1, says the body\r\n";
        ask(&[get, post, get].concat(), &[&*hello, &*missing, &*hello].concat());
        // In pieces.
        let (beginning, end) = get.split_at(9);
        client.say(beginning);
        thread::sleep(Duration::from_millis(50));
        client.say(end);
        assert_eq!(String::from_utf8(client.hear(hello.len())).unwrap(), hello);
        assert_eq!(client.hang_up(), b"");
    });
}

#[test]
fn http_closes_after_the_last_answer() {
    let long = format!("GET / HTTP/1.1\r\nA: {}", "a".repeat(17_000));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(65));
    let last = "Connection: close\r\n";
    for (request, answer) in [
        ("GET / HTTP/1.1\r\nConnection: close\r\n\r\n", expected("200 OK", "Hello, World!", last)),
        ("GET / HTTP/1.0\r\n\r\n", expected("200 OK", "Hello, World!", last)),
        ("nonsense\r\n\r\n", expected("400 Bad Request", "", last)),
        ("GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", expected("400 Bad Request", "", last)),
        (
            "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
            expected("501 Not Implemented", "", last),
        ),
        (&long, expected("431 Request Header Fields Too Large", "", last)),
        (&many, expected("431 Request Header Fields Too Large", "", last)),
    ] {
        on_both(|build| {
            let (_server, address) = Program::serve(build, "http", &[]);
            let mut client = Client::connect(address);
            client.say(request);
            assert_eq!(String::from_utf8(client.rest()).unwrap(), answer);
        });
    }
}
