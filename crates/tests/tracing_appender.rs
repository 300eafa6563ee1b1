//! `tracing-appender`: lines go by a channel to a thread that writes them to a file.

use std::fs;

use crates::server::Folder;
use crates::{Watch, are_thread_locals_shared, crowd, green};
use tracing::subscriber::with_default;

const WHY: &str = "tracing keeps the current subscriber in a thread-local";

#[test]
fn each_line_of_a_hundred_threads_is_in_the_file() {
    green(|| {
        if are_thread_locals_shared(WHY) {
            return;
        }
        const CROWD: usize = 100;
        const LINES: usize = 20;
        let folder = Folder::new("log");
        let file = tracing_appender::rolling::never(folder.path(), "log");
        let (writer, guard) = tracing_appender::non_blocking::NonBlockingBuilder::default()
            .lossy(false)
            .buffered_lines_limit(16)
            .finish(file);
        let watch = Watch::begin();
        crowd(CROWD, move |i| {
            let lines = tracing_subscriber::fmt()
                .with_writer(writer.clone())
                .with_ansi(false)
                .without_time()
                .finish();
            with_default(lines, || {
                for n in 0..LINES {
                    tracing::info!(i, n, "a line");
                }
            });
        });
        // What is under way is written.
        drop(guard);
        watch.at_most(CROWD / 2, "a hundred who write lines by tracing-appender");
        let text = fs::read_to_string(folder.path().join("log")).unwrap();
        let mut lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), CROWD * LINES);
        lines.sort_unstable();
        lines.dedup();
        assert_eq!(lines.len(), CROWD * LINES);
        assert!(lines.iter().all(|line| line.contains("INFO") && line.contains("a line i=")));
    });
}
