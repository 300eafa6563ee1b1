//! Faults of sockets: no descriptor left, and peers that reset. Green threads and OS threads see
//! the same errors, lose nothing, and go on.

tests::on_std_and_in_each_mode! {
    items {
        use std::io::{self, ErrorKind, Read, Write};
        use std::net::{TcpListener, TcpStream};
        use std::sync::Arc;
        use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
        use std::thread;
        use std::time::Duration;

        use rustix::io::Errno;
        use rustix::net::sockopt::set_socket_linger;
        use rustix::process::{Resource, getrlimit, setrlimit};

        use tests::counts::{descriptors, eventually};
        use tests::expect::until_the_writer_waits;

        /// Lets this process open so many descriptors more.
        fn limit_descriptors(n_more: usize) {
            let open = descriptors();
            let mut free = (0..).filter(|number| !open.contains(number));
            let mut limit = getrlimit(Resource::Nofile);
            limit.current = free.nth(n_more).map(|number| number as u64);
            setrlimit(Resource::Nofile, limit).unwrap();
        }

        fn is_out_of_descriptors(error: &io::Error) -> bool {
            error.raw_os_error() == Some(Errno::MFILE.raw_os_error())
        }

        fn pair() -> (TcpStream, TcpStream) {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            (near, listener.accept().unwrap().0)
        }

        /// Closes a connection with a reset.
        fn reset(stream: TcpStream) {
            set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
        }
    }

    fn a_server_out_of_descriptors_says_so_and_goes_on(process) {
        process.passes(|| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            thread::spawn(|| ()).join().unwrap();
            let before = descriptors();
            limit_descriptors(40);
            // Clients take all of them, before the server looks.
            let mut clients = Vec::new();
            let error = loop {
                match TcpStream::connect(address) {
                    Ok(client) => clients.push(client),
                    Err(error) => break error,
                }
            };
            assert!(is_out_of_descriptors(&error), "{error}");
            assert_eq!(clients.len(), 40);

            let n_refused = Arc::new(AtomicUsize::new(0));
            thread::spawn({
                let n_refused = n_refused.clone();
                move || loop {
                    match listener.accept() {
                        Ok((client, _)) => drop(thread::spawn(move || {
                            io::copy(&mut &client, &mut &client)
                        })),
                        Err(error) => {
                            assert!(is_out_of_descriptors(&error), "{error}");
                            n_refused.fetch_add(1, Relaxed);
                            thread::sleep(Duration::from_millis(2));
                        }
                    }
                }
            });
            eventually("the server is out of descriptors", || n_refused.load(Relaxed) > 3);

            // Some leave, and all who stay are served.
            clients.truncate(15);
            let clients: Vec<_> = clients
                .into_iter()
                .zip(0..)
                .map(|(mut client, n)| {
                    thread::spawn(move || {
                        client.write_all(&[n; 100]).unwrap();
                        let mut echo = [0; 100];
                        client.read_exact(&mut echo).unwrap();
                        assert_eq!(echo, [n; 100]);
                    })
                })
                .collect();
            clients.into_iter().for_each(|client| client.join().unwrap());
            eventually("every descriptor is closed", || descriptors() == before);
        });
    }

    fn a_reset_ends_a_read_that_waits(process) {
        process.passes(|| {
            for delay in [0, 1, 5] {
                let (near, far) = pair();
                let reads = thread::spawn(move || {
                    let mut near = near;
                    let first = near.read(&mut [0; 8]).unwrap_err().kind();
                    // The error is reported once; then it is an end like any other.
                    let then = near.read(&mut [0; 8]).unwrap();
                    (first, then, near.write(b"late").unwrap_err().kind())
                });
                thread::sleep(Duration::from_millis(delay));
                reset(far);
                let seen = reads.join().unwrap();
                assert_eq!(seen, (ErrorKind::ConnectionReset, 0, ErrorKind::BrokenPipe));
            }
        });
    }

    fn a_reset_ends_a_write_that_waits_for_room(process) {
        process.passes(|| {
            let (near, far) = pair();
            let message = vec![1; 32 << 20];
            let writes = thread::spawn(move || {
                let mut near = near;
                let sent = near.write(&message).unwrap();
                assert!(0 < sent && sent < message.len());
                let next = near.write(&message).unwrap_err().kind();
                (next, near.write(&message).unwrap_err().kind())
            });
            until_the_writer_waits(&far);
            reset(far);
            let seen = writes.join().unwrap();
            assert_eq!(seen, (ErrorKind::ConnectionReset, ErrorKind::BrokenPipe));
        });
    }

    fn a_reset_wakes_everyone_who_waits(process) {
        process.passes(|| {
            let (near, far) = pair();
            let near = Arc::new(near);
            let waiting: Vec<_> = (0..8)
                .map(|n| {
                    let near = near.clone();
                    thread::spawn(move || match n % 2 {
                        0 => (&*near).read(&mut [0; 8]).is_ok_and(|n| n == 0),
                        _ => (&*near).write_all(&vec![1; 16 << 20]).is_ok(),
                    })
                })
                .collect();
            thread::sleep(Duration::from_millis(20));
            reset(far);
            let calm: Vec<_> =
                waiting.into_iter().map(|thread| thread.join().unwrap()).collect();
            // One of them is told of the reset, the writers of the broken pipe.
            assert!((0..8).filter(|n| n % 2 == 1).all(|n| !calm[n]), "{calm:?}");
        });
    }

    fn a_client_that_resets_before_it_is_accepted_is_a_client_that_reset(process) {
        process.passes(|| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let server = thread::spawn(move || {
                thread::sleep(Duration::from_millis(5));
                (0..2)
                    .map(|_| {
                        let mut client = listener.accept().unwrap().0;
                        let mut text = String::new();
                        client.read_to_string(&mut text).map(|_| text).map_err(|e| e.kind())
                    })
                    .collect::<Vec<_>>()
            });
            reset(TcpStream::connect(address).unwrap());
            TcpStream::connect(address).unwrap().write_all(b"next").unwrap();
            let seen = server.join().unwrap();
            assert_eq!(seen, [Err(ErrorKind::ConnectionReset), Ok("next".to_owned())]);
        });
    }
}
