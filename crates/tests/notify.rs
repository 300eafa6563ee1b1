//! `notify`, whose thread waits for the kernel's news of files by `mio`.

use std::fs;
use std::sync::mpsc::channel;
use std::time::Duration;

use crates::server::Folder;
use crates::{Watch, are_thread_locals_shared, green};
use notify::{Event, EventKind, RecursiveMode, Watcher};

const WHY: &str = "its thread waits by libc, which holds up the worker";

#[test]
fn new_files_in_twenty_folders_are_heard_of_by_twenty_watchers() {
    green(|| {
        if are_thread_locals_shared(WHY) {
            return;
        }
        const CROWD: usize = 20;
        let watch = Watch::begin();
        let watched: Vec<_> = (0..CROWD)
            .map(|_| {
                let (sender, events) = channel::<notify::Result<Event>>();
                let folder = Folder::new("watched");
                let mut watcher = notify::recommended_watcher(sender).unwrap();
                watcher.watch(folder.path(), RecursiveMode::Recursive).unwrap();
                (watcher, folder, events)
            })
            .collect();
        for (number, (_, folder, _)) in watched.iter().enumerate() {
            fs::write(folder.path().join(number.to_string()), "new").unwrap();
        }
        for (number, (_, folder, events)) in watched.iter().enumerate() {
            let created = loop {
                let event = events.recv_timeout(Duration::from_secs(20)).unwrap().unwrap();
                if matches!(event.kind, EventKind::Create(_)) {
                    break event;
                }
            };
            assert_eq!(created.paths, [folder.path().join(number.to_string())]);
        }
        drop(watched);
        watch.at_most(3 * CROWD, "twenty of notify's watchers");
    });
}
