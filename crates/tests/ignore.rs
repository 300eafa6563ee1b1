//! `ignore`, which walks folders with threads of its own.

use std::fs;
use std::sync::Mutex;

use crates::server::Folder;
use crates::{Watch, green};
use ignore::{WalkBuilder, WalkState};

#[test]
fn twenty_threads_walk_a_tree_and_find_what_is_not_ignored() {
    green(|| {
        let folder = Folder::new("tree");
        fs::create_dir(folder.path().join(".git")).unwrap();
        fs::write(folder.path().join(".gitignore"), "*.no\nbuilt/\n").unwrap();
        let mut expected = Vec::new();
        for i in 0..20 {
            for part in ["src", "built"] {
                let within = folder.path().join(i.to_string()).join(part);
                fs::create_dir_all(&within).unwrap();
                fs::write(within.join("a.yes"), "").unwrap();
                fs::write(within.join("b.no"), "").unwrap();
            }
            expected.push(folder.path().join(i.to_string()).join("src/a.yes"));
        }
        expected.sort();

        let watch = Watch::begin();
        let found = Mutex::new(Vec::new());
        WalkBuilder::new(folder.path()).threads(20).build_parallel().run(|| {
            Box::new(|entry| {
                let entry = entry.unwrap();
                if entry.file_type().is_some_and(|kind| kind.is_file()) {
                    found.lock().unwrap().push(entry.into_path());
                }
                WalkState::Continue
            })
        });
        watch.at_most(64, "twenty of ignore's threads");
        let mut found = found.into_inner().unwrap();
        found.sort();
        assert_eq!(found, expected);
        let in_turn = WalkBuilder::new(folder.path()).build().map(Result::unwrap);
        assert_eq!(in_turn.filter(|entry| entry.path().is_file()).count(), expected.len());
    });
}
