//! How long a call waits where timeouts are set, whoever else waits, and whatever becomes of the number.

tests::on_each! {
    items {
        use std::io::{ErrorKind, Read, Write};
        use std::net::{TcpListener, TcpStream};
        use std::os::unix::net::UnixStream;
        use std::sync::{Arc, mpsc};
        use std::thread;
        use std::time::{Duration, Instant};

        const SHORT: Duration = Duration::from_millis(40);
        /// More than any machine takes to notice.
        const LONG: Duration = Duration::from_secs(60);

        /// For how long a read of nothing waits that ends by its timeout.
        fn read_in_vain(mut stream: &UnixStream) -> Duration {
            let begin = Instant::now();
            assert_eq!(stream.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
            begin.elapsed()
        }

        /// The kernel counts in ticks, from the last one on: it may be early by one.
        fn is_long_enough(waited: Duration, timeout: Duration) -> bool {
            waited >= timeout.saturating_sub(Duration::from_millis(10)) && waited < LONG
        }

        /// Fills a stream until a write ends by its timeout: for how long that one has waited.
        fn write_in_vain(mut stream: &UnixStream) -> Duration {
            let chunk = [0; 1 << 16];
            loop {
                let begin = Instant::now();
                if let Err(error) = stream.write(&chunk) {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock);
                    return begin.elapsed();
                }
            }
        }
    }

    fn no_timeout_ends_early_whatever_its_length() {
        for micros in [1, 300, 1_000, 2_500, 10_000, 33_333, 150_000] {
            let timeout = Duration::from_micros(micros);
            let (near, _far) = UnixStream::pair().unwrap();
            near.set_read_timeout(Some(timeout)).unwrap();
            for _ in 0..3 {
                let waited = read_in_vain(&near);
                assert!(is_long_enough(waited, timeout), "{waited:?} of {timeout:?}");
            }
        }
    }

    fn a_wait_that_begins_late_in_the_timeout_of_another_has_all_of_its_own() {
        let (near, mut far) = UnixStream::pair().unwrap();
        near.set_read_timeout(Some(SHORT * 3)).unwrap();
        for _ in 0..4 {
            let writer = thread::spawn(move || {
                thread::sleep(SHORT);
                far.write_all(b"1").unwrap();
                far
            });
            let begin = Instant::now();
            let read = (&near).read(&mut [0; 8]);
            let waited = begin.elapsed();
            far = writer.join().unwrap();
            if read.is_err() {
                // The machine has kept the writer from its turn.
                assert!(is_long_enough(waited, SHORT * 3), "{waited:?}");
                assert_eq!((&near).read(&mut [0; 8]).unwrap(), 1);
            }
        }
        let waited = read_in_vain(&near);
        assert!(is_long_enough(waited, SHORT * 3), "{waited:?}");
    }

    fn a_shorter_timeout_holds_beside_a_longer_one_that_came_before() {
        let (near, mut far) = UnixStream::pair().unwrap();
        near.set_read_timeout(Some(LONG)).unwrap();
        let writer = thread::spawn(move || {
            thread::sleep(SHORT);
            far.write_all(b"1").unwrap();
            far
        });
        assert_eq!((&near).read(&mut [0; 8]).unwrap(), 1);
        let _far = writer.join().unwrap();
        near.set_read_timeout(Some(SHORT)).unwrap();
        let waited = read_in_vain(&near);
        assert!(is_long_enough(waited, SHORT), "{waited:?}");
    }

    fn a_reader_and_a_writer_have_timeouts_of_their_own() {
        for (of_read, of_write) in [(SHORT, SHORT * 4), (SHORT * 4, SHORT)] {
            let (near, _far) = UnixStream::pair().unwrap();
            near.set_read_timeout(Some(of_read)).unwrap();
            near.set_write_timeout(Some(of_write)).unwrap();
            let near = Arc::new(near);
            let reader = near.clone();
            let reading = thread::spawn(move || read_in_vain(&reader));
            let wrote = write_in_vain(&near);
            assert!(is_long_enough(wrote, of_write), "{wrote:?} of {of_write:?}");
            let read = reading.join().unwrap();
            assert!(is_long_enough(read, of_read), "{read:?} of {of_read:?}");
        }
    }

    fn readers_that_come_one_after_the_other_are_told_one_after_the_other() {
        let (near, mut far) = UnixStream::pair().unwrap();
        near.set_read_timeout(Some(SHORT * 2)).unwrap();
        let near = Arc::new(near);
        let readers: Vec<_> = (0..4)
            .map(|_| {
                let near = near.clone();
                let reader = thread::spawn(move || read_in_vain(&near));
                thread::sleep(SHORT / 2);
                reader
            })
            .collect();
        for reader in readers {
            let waited = reader.join().unwrap();
            assert!(is_long_enough(waited, SHORT * 2), "{waited:?}");
        }
        // And nothing is lost of what comes afterwards.
        far.write_all(b"late").unwrap();
        assert_eq!((&*near).read(&mut [0; 8]).unwrap(), 4);
    }

    fn what_comes_goes_to_the_reader_that_still_waits() {
        let (near, mut far) = UnixStream::pair().unwrap();
        let near = Arc::new(near);
        near.set_read_timeout(Some(SHORT)).unwrap();
        let early = near.clone();
        let (begins, has_begun) = mpsc::channel();
        let early = thread::spawn(move || {
            begins.send(()).unwrap();
            read_in_vain(&early)
        });
        has_begun.recv().unwrap();
        thread::sleep(SHORT / 2);
        near.set_read_timeout(Some(LONG)).unwrap();
        let patient = near.clone();
        let patient = thread::spawn(move || (&*patient).read(&mut [0; 8]).unwrap());
        assert!(is_long_enough(early.join().unwrap(), SHORT));
        far.write_all(b"late").unwrap();
        assert_eq!(patient.join().unwrap(), 4);
    }

    fn who_has_a_number_next_has_timeouts_of_its_own() {
        for _ in 0..8 {
            let (near, mut far) = UnixStream::pair().unwrap();
            near.set_read_timeout(Some(LONG)).unwrap();
            let writer = thread::spawn(move || {
                thread::sleep(Duration::from_millis(2));
                far.write_all(b"1").unwrap();
            });
            assert_eq!((&near).read(&mut [0; 8]).unwrap(), 1);
            drop(near);
            let (near, _far) = UnixStream::pair().unwrap();
            near.set_read_timeout(Some(SHORT / 4)).unwrap();
            let waited = read_in_vain(&near);
            assert!(is_long_enough(waited, SHORT / 4), "{waited:?}");
            writer.join().unwrap();
        }
    }

    fn hundreds_of_timeouts_end_each_at_its_time() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (far, readers): (Vec<_>, Vec<_>) = (0..200_u32)
            .map(|i| {
                let far = TcpStream::connect(address).unwrap();
                let mut near = listener.accept().unwrap().0;
                let timeout = SHORT + Duration::from_micros(u64::from(i) * 300);
                near.set_read_timeout(Some(timeout)).unwrap();
                let reader = thread::spawn(move || {
                    let begin = Instant::now();
                    assert_eq!(near.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
                    let waited = begin.elapsed();
                    assert!(is_long_enough(waited, timeout), "{waited:?} of {timeout:?}");
                });
                (far, reader)
            })
            .unzip();
        readers.into_iter().for_each(|reader| reader.join().unwrap());
        drop(far);
    }
}
