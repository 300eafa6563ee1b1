//! `std::sync::mpsc`: channels without bound, and what all channels have in common.

tests::on_each! {
    items {
        use std::panic::{self, AssertUnwindSafe};
        use std::sync::atomic::{AtomicUsize, Ordering};
        use std::sync::mpsc::{self, RecvError, RecvTimeoutError, SendError, TryRecvError};
        use std::sync::{Arc, Barrier};
        use std::thread;
        use std::time::{Duration, Instant};

        const SHORT: Duration = Duration::from_millis(20);
        const LONG: Duration = Duration::from_secs(30);

        fn first<T>(of: impl IntoIterator<Item = T>) -> Option<T> {
            of.into_iter().next()
        }

        /// Writes its number down when dropped.
        struct Logged(usize, Arc<std::sync::Mutex<Vec<usize>>>);

        impl Drop for Logged {
            fn drop(&mut self) {
                self.1.lock().unwrap().push(self.0);
            }
        }
    }

    fn messages_come_in_the_order_in_which_they_were_sent() {
        let (sender, receiver) = mpsc::channel();
        for n in 0..1_000 {
            sender.send(n).unwrap();
        }
        for n in 0..500 {
            assert_eq!(receiver.recv(), Ok(n));
        }
        sender.send(1_000).unwrap();
        drop(sender);
        assert!(receiver.iter().eq(500..=1_000));
    }

    fn recv_waits_for_a_message() {
        let (sender, receiver) = mpsc::channel();
        let thread = thread::spawn(move || {
            thread::sleep(SHORT);
            sender.send("late").unwrap();
        });
        assert_eq!(receiver.recv(), Ok("late"));
        thread.join().unwrap();
    }

    fn what_was_sent_is_received_after_the_senders_are_gone() {
        let (sender, receiver) = mpsc::channel();
        let other = sender.clone();
        sender.send(1).unwrap();
        drop(sender);
        other.send(2).unwrap();
        drop(other);
        assert_eq!(receiver.recv(), Ok(1));
        assert_eq!(receiver.try_recv(), Ok(2));
        assert_eq!(receiver.recv(), Err(RecvError));
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
        assert_eq!(receiver.recv_timeout(LONG), Err(RecvTimeoutError::Disconnected));
    }

    fn the_drop_of_the_last_sender_ends_the_wait() {
        let (sender, receiver) = mpsc::channel::<()>();
        let senders: Vec<_> = (0..3)
            .map(|_| {
                let sender = sender.clone();
                thread::spawn(move || {
                    thread::sleep(SHORT);
                    drop(sender);
                })
            })
            .collect();
        drop(sender);
        assert_eq!(receiver.recv(), Err(RecvError));
        for sender in senders {
            sender.join().unwrap();
        }
    }

    fn try_recv_never_waits() {
        let (sender, receiver) = mpsc::channel();
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
        sender.send(1).unwrap();
        assert_eq!(receiver.try_recv(), Ok(1));
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
        drop(sender);
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
    }

    fn recv_timeout_ends_by_the_time_by_a_message_or_by_the_end() {
        let (sender, receiver) = mpsc::channel();
        let start = Instant::now();
        assert_eq!(receiver.recv_timeout(SHORT), Err(RecvTimeoutError::Timeout));
        assert!(start.elapsed() >= SHORT);
        assert_eq!(receiver.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Timeout));
        let thread = thread::spawn(move || {
            thread::sleep(SHORT);
            sender.send(1).unwrap();
            thread::sleep(SHORT);
        });
        assert_eq!(receiver.recv_timeout(LONG), Ok(1));
        assert_eq!(receiver.recv_timeout(LONG), Err(RecvTimeoutError::Disconnected));
        assert!(start.elapsed() < LONG);
        thread.join().unwrap();
    }

    fn recv_timeout_of_more_than_the_clock_can_tell_has_no_end() {
        let (sender, receiver) = mpsc::channel();
        let thread = thread::spawn(move || {
            thread::sleep(SHORT);
            sender.send(1).unwrap();
        });
        assert_eq!(receiver.recv_timeout(Duration::MAX), Ok(1));
        thread.join().unwrap();
    }

    fn nothing_is_lost_when_time_outs_race_messages() {
        const MESSAGES: usize = 300;
        let (sender, receiver) = mpsc::channel();
        let thread = thread::spawn(move || {
            for n in 0..MESSAGES {
                sender.send(n).unwrap();
                if n % 3 == 0 {
                    thread::sleep(Duration::from_micros(50));
                } else {
                    thread::yield_now();
                }
            }
        });
        let mut next = 0;
        loop {
            match receiver.recv_timeout(Duration::from_micros(20)) {
                Ok(n) => {
                    assert_eq!(n, next);
                    next += 1;
                }
                Err(RecvTimeoutError::Timeout) => thread::yield_now(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        assert_eq!(next, MESSAGES);
        thread.join().unwrap();
    }

    fn send_to_nobody_gives_the_message_back() {
        let (sender, receiver) = mpsc::channel();
        drop(receiver);
        let SendError(message) = sender.send(String::from("back")).unwrap_err();
        assert_eq!(message, "back");
        assert_eq!(sender.clone().send(String::from("b")), Err(SendError("b".into())));
    }

    fn the_receiver_drops_what_it_has_not_received_in_order() {
        let log = Arc::new(std::sync::Mutex::new(Vec::new()));
        let (sender, receiver) = mpsc::channel();
        for n in 0..4 {
            sender.send(Logged(n, Arc::clone(&log))).unwrap();
        }
        // What has been collected, and what has been sent since.
        drop(receiver.recv().unwrap());
        for n in 4..6 {
            sender.send(Logged(n, Arc::clone(&log))).unwrap();
        }
        assert_eq!(*log.lock().unwrap(), [0]);
        drop(receiver);
        assert_eq!(*log.lock().unwrap(), [0, 1, 2, 3, 4, 5]);
        drop(sender.send(Logged(6, Arc::clone(&log))).unwrap_err());
        assert_eq!(*log.lock().unwrap(), [0, 1, 2, 3, 4, 5, 6]);
    }

    fn the_senders_leave_what_they_have_sent_to_the_receiver() {
        let log = Arc::new(std::sync::Mutex::new(Vec::new()));
        let (sender, receiver) = mpsc::channel();
        sender.send(Logged(0, Arc::clone(&log))).unwrap();
        drop(sender);
        assert!(log.lock().unwrap().is_empty());
        drop(receiver);
        assert_eq!(*log.lock().unwrap(), [0]);
    }

    fn a_message_that_holds_a_sender_does_not_outlive_the_receiver() {
        // The answer to a request that nobody will read: waiting for it must end.
        let (requests, server) = mpsc::channel();
        let (answer, answers) = mpsc::channel::<()>();
        requests.send(answer).unwrap();
        drop(server);
        assert_eq!(answers.recv(), Err(RecvError));
    }

    fn messages_sent_while_the_receiver_goes_are_dropped_or_given_back() {
        for _ in 0..200 {
            let shared = Arc::new((AtomicUsize::new(0), Barrier::new(3)));
            struct Alive(Arc<(AtomicUsize, Barrier)>);
            impl Drop for Alive {
                fn drop(&mut self) {
                    self.0.0.fetch_sub(1, Ordering::Relaxed);
                }
            }
            let (sender, receiver) = mpsc::channel();
            let senders: Vec<_> = (0..2)
                .map(|_| {
                    let sender = sender.clone();
                    let shared = Arc::clone(&shared);
                    thread::spawn(move || {
                        shared.1.wait();
                        for _ in 0..10 {
                            shared.0.fetch_add(1, Ordering::Relaxed);
                            let _ = sender.send(Alive(Arc::clone(&shared)));
                        }
                        sender
                    })
                })
                .collect();
            shared.1.wait();
            let _ = receiver.try_recv();
            drop(receiver);
            let senders: Vec<_> = senders.into_iter().map(|t| t.join().unwrap()).collect();
            // With the senders alive: nothing is left in the channel.
            assert_eq!(shared.0.load(Ordering::Relaxed), 0);
            drop(senders);
        }
    }

    fn a_drop_that_panics_does_not_stop_the_others_from_being_sent_away() {
        struct Panics(bool);
        impl Drop for Panics {
            fn drop(&mut self) {
                assert!(!self.0, "on purpose");
            }
        }
        let (sender, receiver) = mpsc::channel();
        sender.send(Panics(true)).unwrap();
        sender.send(Panics(false)).unwrap();
        let panicked = panic::catch_unwind(AssertUnwindSafe(|| drop(receiver)));
        assert!(panicked.is_err());
        assert!(sender.send(Panics(false)).is_err());
    }

    fn messages_of_many_senders_keep_the_order_of_each() {
        const SENDERS: usize = 6;
        const MESSAGES: usize = 2_000;
        let (sender, receiver) = mpsc::channel();
        let threads: Vec<_> = (0..SENDERS)
            .map(|id| {
                let sender = sender.clone();
                thread::spawn(move || {
                    for n in 0..MESSAGES {
                        sender.send((id, n)).unwrap();
                        if n % 100 == 0 {
                            thread::yield_now();
                        }
                    }
                })
            })
            .collect();
        drop(sender);
        let mut next = [0; SENDERS];
        for (id, n) in &receiver {
            assert_eq!(n, next[id]);
            next[id] += 1;
        }
        assert_eq!(next, [MESSAGES; SENDERS]);
        for thread in threads {
            thread.join().unwrap();
        }
    }

    fn one_sender_may_be_shared_by_reference() {
        let (sender, receiver) = mpsc::channel();
        thread::scope(|scope| {
            for n in 0..4 {
                let sender = &sender;
                scope.spawn(move || sender.send(n).unwrap());
            }
        });
        let mut all: Vec<_> = receiver.try_iter().collect();
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2, 3]);
    }

    fn the_receiver_may_move_to_another_thread() {
        let (sender, receiver) = mpsc::channel();
        sender.send(1).unwrap();
        sender.send(2).unwrap();
        assert_eq!(receiver.recv(), Ok(1));
        let thread = thread::spawn(move || (receiver.recv(), receiver));
        let (second, receiver) = thread.join().unwrap();
        assert_eq!(second, Ok(2));
        sender.send(3).unwrap();
        assert_eq!(receiver.recv(), Ok(3));
    }

    fn ping_pong_goes_back_and_forth() {
        const ROUNDS: usize = 2_000;
        let (ping, pings) = mpsc::channel();
        let (pong, pongs) = mpsc::channel();
        let thread = thread::spawn(move || {
            for n in &pings {
                pong.send(n + 1).unwrap();
            }
        });
        for n in 0..ROUNDS {
            ping.send(n).unwrap();
            assert_eq!(pongs.recv(), Ok(n + 1));
        }
        drop(ping);
        thread.join().unwrap();
        assert_eq!(pongs.recv(), Err(RecvError));
    }

    fn iterators_end_where_they_should() {
        let (sender, receiver) = mpsc::channel();
        sender.send(1).unwrap();
        sender.send(2).unwrap();
        assert_eq!(receiver.try_iter().collect::<Vec<_>>(), [1, 2]);
        assert_eq!(receiver.try_iter().next(), None);
        sender.send(3).unwrap();
        assert_eq!(receiver.iter().next(), Some(3));
        sender.send(4).unwrap();
        assert_eq!(first(&receiver), Some(4));
        sender.send(5).unwrap();
        drop(sender);
        let mut rest = receiver.into_iter();
        assert_eq!((rest.next(), rest.next(), rest.next()), (Some(5), None, None));
    }

    fn messages_without_size_and_large_ones_arrive() {
        let (sender, receiver) = mpsc::channel();
        sender.send(()).unwrap();
        assert_eq!(receiver.recv(), Ok(()));
        let (sender, receiver) = mpsc::channel();
        sender.send([7_u64; 1_000]).unwrap();
        assert_eq!(receiver.recv(), Ok([7; 1_000]));
    }

    fn many_messages_in_a_row_need_no_deep_stack() {
        let (sender, receiver) = mpsc::channel();
        for n in 0..100_000 {
            sender.send(n).unwrap();
        }
        assert_eq!(receiver.recv(), Ok(0));
        drop(receiver);
    }

    fn errors_are_those_of_std_and_print_as_ever() {
        let (sender, receiver) = mpsc::channel::<u8>();
        let empty: ::std::sync::mpsc::TryRecvError = receiver.try_recv().unwrap_err();
        assert_eq!(empty.to_string(), "receiving on an empty channel");
        let timeout = receiver.recv_timeout(Duration::ZERO).unwrap_err();
        assert_eq!(timeout.to_string(), "timed out waiting on channel");
        drop(receiver);
        let closed: ::std::sync::mpsc::SendError<u8> = sender.send(1).unwrap_err();
        assert_eq!(closed.to_string(), "sending on a closed channel");
        assert_eq!(format!("{closed:?}"), "SendError { .. }");
        let (sender, receiver) = mpsc::channel::<u8>();
        drop(sender);
        let closed: ::std::sync::mpsc::RecvError = receiver.recv().unwrap_err();
        assert_eq!(closed.to_string(), "receiving on a closed channel");
        assert_eq!(TryRecvError::from(closed), TryRecvError::Disconnected);
        assert_eq!(RecvTimeoutError::from(closed), RecvTimeoutError::Disconnected);
    }
}
