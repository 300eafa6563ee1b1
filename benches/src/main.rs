//! The bench suite: every peer side by side, in one run, on one machine.
//!
//! One driver process builds the peers ([`peer`]), starts one of them at a time on processors of
//! its own ([`child`]), puts it under load ([`load`]) or lets it measure itself ([`scene`]), goes
//! round all of them several times ([`run`]) and shows medians, spread and ratios ([`report`]).

mod args;
mod child;
mod load;
mod machine;
mod peer;
mod report;
mod run;
mod scene;
mod sys;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use args::Args;
use load::Span;
use peer::Peer;
use run::Finding;
use scene::{Bench, Scene};

/// After this long a quick run gives each case one round only, …
const QUICK_ROUNDS: Duration = Duration::from_secs(75);

/// … and after this long it starts no more cases.
const QUICK_CASES: Duration = Duration::from_secs(110);

fn main() -> ExitCode {
    match Args::parse(std::env::args().skip(1)).and_then(|args| play(&args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("suite: {why} (`--help` says what there is)");
            ExitCode::FAILURE
        }
    }
}

fn play(args: &Args) -> Result<(), String> {
    if args.help {
        println!("{}", args::USAGE);
        return Ok(());
    }
    if args.list {
        list();
        return Ok(());
    }
    if cfg!(debug_assertions) {
        return Err("a load generator without optimization measures itself: add `--release`".into());
    }
    let scenes = chosen_scenes(args)?;
    let (bench, rounds) = settings(args)?;
    let peers = built(chosen_peers(args)?);
    if peers.is_empty() {
        return Err("there is no peer to run".into());
    }
    let has_go = peers.iter().any(|peer| peer.name == "go");
    let machine = machine::describe(&bench.processors, has_go);
    println!("{}", heading(&machine));
    let findings = run_all(&scenes, &bench, &peers, rounds);
    if let Some(path) = &args.json {
        write(path, &report::json::render(&machine, &findings))?;
    }
    if let Some(directory) = &args.svg {
        std::fs::create_dir_all(directory).map_err(|e| format!("{}: {e}", directory.display()))?;
        for finding in &findings {
            let path = directory.join(report::svg::file_name(finding));
            write(&path, &report::svg::render(finding))?;
        }
    }
    Ok(())
}

fn list() {
    println!("scenes:");
    for scene in scene::ALL {
        println!("  {:<14}{}", scene.name, scene.about);
    }
    println!("peers:");
    for peer in peer::ALL {
        println!("  {:<14}{}", peer.name, peer.about);
    }
}

fn chosen_scenes(args: &Args) -> Result<Vec<&'static Scene>, String> {
    known("scene", &args.scenes, scene::ALL.iter().map(|scene| scene.name))?;
    let asked = |scene: &Scene| args.scenes.iter().any(|name| name == scene.name);
    let wanted = |scene: &&Scene| {
        asked(scene)
            || args.scenes.is_empty() && scene.standard
            || args.strace && scene.name == "syscalls"
    };
    Ok(scene::ALL.iter().filter(wanted).collect())
}

fn chosen_peers(args: &Args) -> Result<Vec<&'static Peer>, String> {
    known("peer", &args.peers, peer::ALL.iter().map(|peer| peer.name))?;
    let wanted = |peer: &&Peer| args.peers.is_empty() || args.peers.iter().any(|n| n == peer.name);
    Ok(peer::ALL.iter().filter(wanted).collect())
}

fn known(
    kind: &str,
    asked: &[String],
    names: impl Iterator<Item = &'static str> + Clone,
) -> Result<(), String> {
    match asked.iter().find(|asked| !names.clone().any(|name| name == *asked)) {
        Some(name) => {
            let names: Vec<_> = names.collect();
            Err(format!("`{name}` is no {kind}; there are {}", names.join(", ")))
        }
        None => Ok(()),
    }
}

fn settings(args: &Args) -> Result<(Bench, usize), String> {
    let seconds = args.seconds.unwrap_or(if args.quick { 0.15 } else { 1.0 });
    let measured = Duration::try_from_secs_f64(seconds).map_err(|e| e.to_string())?;
    let processors = sys::processors().map_err(|e| format!("which processors there are: {e}"))?;
    sys::raise_descriptor_limit().map_err(|e| format!("the limit of descriptors: {e}"))?;
    if processors.len() < 2 {
        eprintln!("suite: there is one processor only: servers and load share it");
    }
    let span = Span { warm_up: measured / 4, measured };
    let target = measured / 10;
    let rounds = args.rounds.unwrap_or(if args.quick { 3 } else { 5 });
    Ok((Bench { quick: args.quick, processors, span, target }, rounds))
}

/// Builds the peers and leaves out those that do not build.
fn built(peers: Vec<&'static Peer>) -> Vec<&'static Peer> {
    let mut ready = Vec::new();
    for peer in peers {
        eprintln!("building {}", peer.name);
        match peer.build() {
            Ok(()) => ready.push(peer),
            Err(why) => eprintln!("  left out: {why}"),
        }
    }
    ready
}

fn heading(machine: &[(&'static str, String)]) -> String {
    let lines: Vec<_> = machine.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    lines.join("\n")
}

fn run_all(
    scenes: &[&Scene],
    bench: &Bench,
    peers: &[&'static Peer],
    rounds: usize,
) -> Vec<Finding> {
    let start = Instant::now();
    let mut findings = Vec::new();
    for case in scenes.iter().flat_map(|scene| (scene.cases)(bench)) {
        let late = |limit| bench.quick && start.elapsed() > limit;
        if late(QUICK_CASES) {
            eprintln!("out of time: {}, {} is left out", case.scene, case.title);
            continue;
        }
        let rounds = if late(QUICK_ROUNDS) { 1 } else { rounds };
        let finding = run::run(&case, bench, peers, rounds);
        println!("\n{}", report::table::render(&finding).trim_end());
        findings.push(finding);
    }
    let seconds = start.elapsed().as_secs();
    println!("\n{} cases in {seconds} s", findings.len());
    findings
}

fn write(path: &std::path::Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))
}
