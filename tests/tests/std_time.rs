//! `std::time`: re-exported, and asleep for as long as std sleeps.

tests::on_each! {
    items {
        use std::thread;
        use std::time::{Duration, Instant};
    }

    fn sleep_lasts_at_least_as_long_as_asked() {
        let start = Instant::now();
        thread::sleep(Duration::from_millis(20));
        assert!(start.elapsed() >= Duration::from_millis(20));
    }

    fn sleep_of_zero_returns() {
        thread::sleep(Duration::ZERO);
    }
}
