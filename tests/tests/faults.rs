//! Faults on purpose: each system call that the runtime and the mirror make fails once in each scene.
//!
//! A scene (`faults_support/scenes.rs`) goes through each fault of each call that it makes, in a process of
//! its own: *cold*, in the first thing that the process does, and *warm*, once the runtime is there. What
//! has to hold (`faults_support/trial.rs`) is that the scene ends, with what it was to do, or with that
//! very error; that it can be played once more, without a fault; and that there are as many descriptors
//! and mappings then as without one. `docs/faults.md` has what came of it.
//!
//! | `SYLVAN_FAULTS` | |
//! |---|---|
//! | not set | each scene once without a fault, in a process that is asked about each call |
//! | `all` | all faults (`ci/faults.sh`), compared with the document |
//! | `write` | the same, and writes the document |
//! | a scene's name | all faults of this one |

#![cfg(target_os = "linux")]

#[path = "faults_support/scenes.rs"]
mod scenes;
#[path = "faults_support/table.rs"]
mod table;
#[path = "faults_support/trial.rs"]
mod trial;

use std::collections::BTreeMap;
use std::env;
use std::sync::Mutex;
use std::thread;

use scenes::{SCENES, Scene};
use tests::faults::{Call, Fault, called, calls};
use tests::process::{Process, Way};
use trial::{Order, Trial};

/// The scene, and the faults, of a child.
const JOB: &str = "SYLVAN_FAULTS_JOB";

tests::in_each_mode!(each_call_that_fails_is_an_error_or_is_made_again);

fn each_call_that_fails_is_an_error_or_is_made_again(process: &Process) {
    // Few cores and little memory: what is asked for is the same everywhere.
    let process = process.env("SYLVAN_WORKERS", "2").env("MALLOC_ARENA_MAX", "1");
    if let Ok(job) = env::var(JOB) {
        let (scene, orders) = job.split_once(':').expect("a scene and its faults");
        let scene = SCENES.iter().find(|one| one.name == scene).expect("a scene");
        let orders: Vec<_> = orders.split_whitespace().map(Order::from_text).collect();
        process.run(|| trial::play(scene, &orders));
        return;
    }
    let wanted = env::var("SYLVAN_FAULTS").unwrap_or_default();
    let is_whole = ["all", "write"].contains(&wanted.as_str());
    let scenes =
        SCENES.iter().filter(|scene| is_whole || wanted.is_empty() || scene.name == wanted);
    let waiting = Mutex::new(scenes);
    let all = Mutex::new(BTreeMap::new());
    thread::scope(|s| {
        for _ in 0..2 {
            s.spawn(|| {
                loop {
                    let Some(scene) = waiting.lock().expect("no panic").next() else { break };
                    let trials = try_scene(&process, scene, wanted.is_empty());
                    all.lock().expect("no panic").insert(scene.name, trials);
                }
            });
        }
    });
    let all = all.into_inner().expect("no panic");
    let wrong: Vec<_> = all.values().flatten().filter_map(Trial::what_is_wrong).collect();
    let n = all.values().map(Vec::len).sum::<usize>();
    println!("{n} faults in {} scenes", all.len());
    assert!(wrong.is_empty(), "{} of {n} faults:\n{}", wrong.len(), wrong.join("\n"));
    if process.way() == Way::Own {
        table::compare(&all, wanted == "write");
    }
}

/// Which calls of a kind fail in a process that goes on: how many are made before.
const WARM: [u32; 3] = [0, 1, 5];

fn try_scene(process: &Process, scene: &'static Scene, is_short: bool) -> Vec<Trial> {
    let job = |orders: &[Order]| {
        let words: Vec<_> = orders.iter().map(|order| order.to_text()).collect();
        let process = process.env(JOB, format!("{}:{}", scene.name, words.join(" ")));
        let ended = process.run(|| unreachable!("a child has a job"));
        trial::heard(scene, orders, &ended)
    };
    let heard = job(&[]);
    let mut trials = heard.trials;
    if is_short || !trials.is_empty() {
        return trials;
    }
    for call in &heard.cold {
        for fault in call.faults {
            let order = Order { call, fault: *fault, nth: 0, is_cold: true };
            let mut one = job(&[order]);
            if one.n_descriptors != heard.n_descriptors {
                one.trials.iter_mut().for_each(|trial| {
                    trial.is_wrong(format!(
                        "descriptors: {:?}, without a fault {:?}",
                        one.n_descriptors, heard.n_descriptors
                    ));
                });
            }
            trials.extend(one.trials);
        }
    }
    let mut left: Vec<_> = heard
        .warm
        .iter()
        .flat_map(|call| call.faults.iter().map(move |fault| (call, fault)))
        .flat_map(|(call, fault)| {
            WARM.map(move |nth| Order { call, fault: *fault, nth, is_cold: false })
        })
        .collect();
    // A process that does not get to the end of its orders has another one take over behind the one
    // that ended it.
    while !left.is_empty() {
        let heard = job(&left);
        assert!(!heard.trials.is_empty(), "`{}` plays without a fault", scene.name);
        left.drain(..heard.trials.len());
        trials.extend(heard.trials);
    }
    trials
}
