//! `std::sync::mpsc`: channels with a bound, that of zero included.

tests::on_each! {
    items {
        use std::panic::{self, AssertUnwindSafe};
        use std::sync::atomic::{AtomicUsize, Ordering};
        use std::sync::mpsc::{
            self, RecvError, RecvTimeoutError, SendError, TryRecvError, TrySendError,
        };
        use std::sync::{Arc, Barrier};
        use std::thread;
        use std::time::Duration;

        const A_WHILE: Duration = Duration::from_millis(20);
        const LONG: Duration = Duration::from_secs(30);
    }

    fn a_channel_takes_as_many_as_its_bound() {
        let (sender, receiver) = mpsc::sync_channel(3);
        for n in 0..3 {
            sender.send(n).unwrap();
        }
        assert_eq!(sender.try_send(3), Err(TrySendError::Full(3)));
        assert_eq!(receiver.recv(), Ok(0));
        assert_eq!(sender.try_send(3), Ok(()));
        assert_eq!(sender.try_send(4), Err(TrySendError::Full(4)));
        drop(sender);
        assert!(receiver.iter().eq(1..=3));
    }

    fn room_is_made_by_every_way_to_receive() {
        let (sender, receiver) = mpsc::sync_channel(1);
        for n in 0..3 {
            sender.try_send(n).unwrap();
            assert_eq!(receiver.recv(), Ok(n));
            sender.try_send(n).unwrap();
            assert_eq!(receiver.try_recv(), Ok(n));
            sender.try_send(n).unwrap();
            assert_eq!(receiver.recv_timeout(LONG), Ok(n));
            sender.try_send(n).unwrap();
            assert_eq!(receiver.try_iter().next(), Some(n));
        }
    }

    fn send_waits_for_room() {
        let (sender, receiver) = mpsc::sync_channel(1);
        let sent = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&sent);
        let thread = thread::spawn(move || {
            for n in 0..4 {
                sender.send(n).unwrap();
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        for n in 0..4 {
            thread::sleep(A_WHILE);
            // One in the channel; the next one waits.
            assert!(sent.load(Ordering::SeqCst) <= n + 1);
            assert_eq!(receiver.recv(), Ok(n));
        }
        thread.join().unwrap();
    }

    fn each_message_received_lets_one_sender_in() {
        let (sender, receiver) = mpsc::sync_channel(1);
        sender.send(0).unwrap();
        let threads: Vec<_> = (1..=8)
            .map(|n| {
                let sender = sender.clone();
                thread::spawn(move || sender.send(n).unwrap())
            })
            .collect();
        drop(sender);
        let mut all: Vec<_> = receiver.iter().collect();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..=8));
        for thread in threads {
            thread.join().unwrap();
        }
    }

    fn senders_that_wait_for_room_get_their_messages_back_when_the_receiver_goes() {
        let (sender, receiver) = mpsc::sync_channel(1);
        sender.send(0).unwrap();
        let threads: Vec<_> = (1..=5)
            .map(|n| {
                let sender = sender.clone();
                thread::spawn(move || sender.send(n))
            })
            .collect();
        thread::sleep(A_WHILE);
        drop(receiver);
        for (thread, n) in threads.into_iter().zip(1..) {
            assert_eq!(thread.join().unwrap(), Err(SendError(n)));
        }
        assert_eq!(sender.send(6), Err(SendError(6)));
        assert_eq!(sender.try_send(7), Err(TrySendError::Disconnected(7)));
    }

    fn a_full_channel_without_receiver_is_disconnected() {
        let (sender, receiver) = mpsc::sync_channel(1);
        sender.send(0).unwrap();
        drop(receiver);
        for n in 0..3 {
            assert_eq!(sender.try_send(n), Err(TrySendError::Disconnected(n)));
            assert_eq!(sender.send(n), Err(SendError(n)));
        }
    }

    fn a_stream_through_little_room_arrives_in_order() {
        for bound in [1, 2, 7] {
            let (sender, receiver) = mpsc::sync_channel(bound);
            let thread = thread::spawn(move || {
                for n in 0..3_000 {
                    sender.send(n).unwrap();
                }
            });
            assert!(receiver.into_iter().eq(0..3_000));
            thread.join().unwrap();
        }
    }

    fn messages_of_many_senders_all_arrive_through_little_room() {
        const SENDERS: usize = 5;
        const MESSAGES: usize = 1_000;
        for bound in [0, 1, 3] {
            let (sender, receiver) = mpsc::sync_channel(bound);
            let threads: Vec<_> = (0..SENDERS)
                .map(|id| {
                    let sender = sender.clone();
                    thread::spawn(move || {
                        for n in 0..MESSAGES {
                            sender.send((id, n)).unwrap();
                        }
                    })
                })
                .collect();
            drop(sender);
            let mut next = [0; SENDERS];
            for (id, n) in receiver {
                assert_eq!(n, next[id]);
                next[id] += 1;
            }
            assert_eq!(next, [MESSAGES; SENDERS]);
            for thread in threads {
                thread.join().unwrap();
            }
        }
    }

    fn no_more_than_the_bound_is_ever_in_the_channel() {
        const BOUND: usize = 3;
        let (sender, receiver) = mpsc::sync_channel(BOUND);
        let sent = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let sender = sender.clone();
                let sent = Arc::clone(&sent);
                thread::spawn(move || {
                    for _ in 0..200 {
                        sender.send(()).unwrap();
                        sent.fetch_add(1, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        drop(sender);
        for received in 0..800 {
            assert!(sent.load(Ordering::SeqCst) <= received + BOUND);
            receiver.recv().unwrap();
        }
        assert_eq!(receiver.recv(), Err(RecvError));
        for thread in threads {
            thread.join().unwrap();
        }
    }

    fn time_outs_and_the_end_are_told_as_without_a_bound() {
        let (sender, receiver) = mpsc::sync_channel::<u8>(1);
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
        assert_eq!(receiver.recv_timeout(A_WHILE), Err(RecvTimeoutError::Timeout));
        drop(sender);
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
        assert_eq!(receiver.recv(), Err(RecvError));
        assert_eq!(receiver.recv_timeout(LONG), Err(RecvTimeoutError::Disconnected));
    }

    fn a_rendezvous_is_over_when_the_message_is_taken() {
        let (sender, receiver) = mpsc::sync_channel(0);
        let sent = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&sent);
        let thread = thread::spawn(move || {
            for n in 0..3 {
                sender.send(n).unwrap();
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        for n in 0..3 {
            thread::sleep(A_WHILE);
            assert!(sent.load(Ordering::SeqCst) <= n);
            assert_eq!(receiver.recv(), Ok(n));
        }
        thread.join().unwrap();
        assert_eq!(receiver.recv(), Err(RecvError));
    }

    fn try_recv_takes_from_a_sender_that_waits() {
        let (sender, receiver) = mpsc::sync_channel(0);
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
        let thread = thread::spawn(move || sender.send(1));
        loop {
            match receiver.try_recv() {
                Err(TryRecvError::Empty) => thread::yield_now(),
                taken => break assert_eq!(taken, Ok(1)),
            }
        }
        assert_eq!(thread.join().unwrap(), Ok(()));
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
    }

    fn try_send_needs_a_receiver_that_waits() {
        let (sender, receiver) = mpsc::sync_channel(0);
        assert_eq!(sender.try_send(1), Err(TrySendError::Full(1)));
        let thread = thread::spawn(move || (receiver.recv(), receiver));
        while sender.try_send(2) == Err(TrySendError::Full(2)) {
            thread::yield_now();
        }
        let (received, receiver) = thread.join().unwrap();
        assert_eq!(received, Ok(2));
        assert_eq!(sender.try_send(3), Err(TrySendError::Full(3)));
        drop(receiver);
        assert_eq!(sender.try_send(4), Err(TrySendError::Disconnected(4)));
    }

    fn try_send_reaches_no_receiver_that_has_timed_out() {
        let (sender, receiver) = mpsc::sync_channel(0);
        let barrier = Arc::new(Barrier::new(2));
        let other = Arc::clone(&barrier);
        let thread = thread::spawn(move || {
            let received = receiver.recv_timeout(Duration::from_millis(1));
            other.wait();
            other.wait();
            received
        });
        barrier.wait();
        assert_eq!(sender.try_send(1), Err(TrySendError::Full(1)));
        barrier.wait();
        assert_eq!(thread.join().unwrap(), Err(RecvTimeoutError::Timeout));
    }

    fn one_receive_ends_one_rendezvous() {
        let (sender, receiver) = mpsc::sync_channel(0);
        let ended = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..4)
            .map(|n| {
                let sender = sender.clone();
                let ended = Arc::clone(&ended);
                thread::spawn(move || {
                    let sent = sender.send(n);
                    ended.fetch_add(1, Ordering::SeqCst);
                    sent
                })
            })
            .collect();
        thread::sleep(A_WHILE);
        assert_eq!(ended.load(Ordering::SeqCst), 0);
        let first = receiver.recv().unwrap();
        while ended.load(Ordering::SeqCst) == 0 {
            thread::yield_now();
        }
        thread::sleep(A_WHILE);
        assert_eq!(ended.load(Ordering::SeqCst), 1);
        drop(receiver);
        let sent: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        for (n, sent) in sent.into_iter().enumerate() {
            assert_eq!(sent, if n == first { Ok(()) } else { Err(SendError(n)) });
        }
        assert_eq!(sender.send(9), Err(SendError(9)));
    }

    fn nothing_is_lost_when_time_outs_race_a_rendezvous() {
        const MESSAGES: usize = 300;
        let (sender, receiver) = mpsc::sync_channel(0);
        let thread = thread::spawn(move || {
            for n in 0..MESSAGES {
                while n % 2 == 0 && sender.try_send(n).is_err() {
                    thread::yield_now();
                }
                if n % 2 == 1 {
                    sender.send(n).unwrap();
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

    fn a_message_of_a_rendezvous_is_dropped_once_by_who_has_it() {
        struct Counted(Arc<AtomicUsize>);
        impl Drop for Counted {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let drops = Arc::new(AtomicUsize::new(0));
        let (sender, receiver) = mpsc::sync_channel(0);
        let message = Counted(Arc::clone(&drops));
        let thread = thread::spawn(move || (sender.send(message).is_ok(), sender));
        let message = receiver.recv().unwrap();
        let (sent, sender) = thread.join().unwrap();
        assert!(sent);
        assert_eq!(drops.load(Ordering::SeqCst), 0);
        drop(message);
        assert_eq!(drops.load(Ordering::SeqCst), 1);
        let message = Counted(Arc::clone(&drops));
        let thread = thread::spawn(move || sender.send(message));
        thread::sleep(A_WHILE);
        drop(receiver);
        let refused = thread.join().unwrap();
        assert_eq!(drops.load(Ordering::SeqCst), 1);
        drop(refused);
        assert_eq!(drops.load(Ordering::SeqCst), 2);
    }

    fn a_receiver_that_panics_sends_its_senders_away() {
        for bound in [0, 1] {
            let (sender, receiver) = mpsc::sync_channel(bound);
            let thread = thread::spawn(move || while sender.send(()).is_ok() {});
            let panicked = panic::catch_unwind(AssertUnwindSafe(move || {
                receiver.recv().unwrap();
                panic!("on purpose");
            }));
            assert!(panicked.is_err());
            thread.join().unwrap();
        }
    }

    fn errors_print_as_ever() {
        let (sender, receiver) = mpsc::sync_channel(1);
        sender.send(0).unwrap();
        let full: ::std::sync::mpsc::TrySendError<i32> = sender.try_send(1).unwrap_err();
        assert_eq!(full.to_string(), "sending on a full channel");
        assert_eq!(format!("{full:?}"), "TrySendError::Full(..)");
        drop(receiver);
        let closed = sender.try_send(1).unwrap_err();
        assert_eq!(closed.to_string(), "sending on a closed channel");
        assert_eq!(format!("{closed:?}"), "TrySendError::Disconnected(..)");
        assert_eq!(TrySendError::from(SendError(1)), TrySendError::Disconnected(1));
    }
}
