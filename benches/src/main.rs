//! The bench suite: every peer side by side, in one run, on one machine.
//!
//! One driver process builds the peers ([`peer`]), starts one of them at a time on processors of
//! its own ([`child`]), puts it under load ([`load`]) or lets it measure itself ([`scene`]), goes
//! round all of them several times ([`run`]) and shows medians, spread and ratios ([`report`]).

mod args;
mod bench;
mod case;
mod child;
mod column;
mod failure;
mod finding;
mod load;
mod machine;
mod peer;
mod report;
mod run;
mod scene;
mod sys;
mod turns;

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use args::Args;
use bench::Bench;
use case::{Case, Scene};
use finding::Finding;
use load::Span;
use machine::Facts;
use peer::Peer;
use report::page::Page;
use run::Budget;

/// A shorter measurement inside a peer would be one of its start.
const TARGET_LEAST: Duration = Duration::from_millis(20);

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
    // What cannot be written is noticed before the measurement, not after it.
    let page = args.report.as_ref().map(|path| page(path)).transpose()?;
    if let Some(directory) = args.json.as_ref().and_then(|path| path.parent()) {
        create(directory)?;
    }
    let (machine, findings) = match &args.read {
        Some(path) => report::json::parse(&read(path)?)
            .ok_or_else(|| format!("{}: not what `--json` writes", path.display()))?,
        None => measure(args)?,
    };
    if let Some(path) = &args.json {
        write(path, &report::json::render(&machine, &findings))?;
    }
    if let (Some(path), Some(page)) = (&args.report, page) {
        write(path, &page.with(&machine, &findings))?;
        let charts = path.with_file_name("charts");
        create(&charts)?;
        for chart in report::charts::all(&findings) {
            write(&charts.join(chart.file), &chart.svg)?;
        }
    }
    Ok(())
}

/// Builds the peers, runs the scenes and prints what comes of it.
fn measure(args: &Args) -> Result<(Facts, Vec<Finding>), String> {
    if cfg!(debug_assertions) {
        return Err("a load generator without optimization measures itself: add `--release`".into());
    }
    let scenes = chosen_scenes(args)?;
    let (bench, budget) = settings(args)?;
    let peers = built(chosen_peers(args)?);
    if peers.is_empty() {
        return Err("there is no peer to run".into());
    }
    let has_go = peers.iter().any(|peer| peer.name == "go");
    let mut machine = machine::describe(&bench.processors, has_go);
    machine.push(("options".to_owned(), std::env::args().skip(1).collect::<Vec<_>>().join(" ")));
    println!("{}", heading(&machine));
    let cases: Vec<Case> = scenes.iter().flat_map(|scene| (scene.cases)(&bench)).collect();
    let start = Instant::now();
    let findings = run::all(&cases, &bench, &peers, budget);
    for finding in &findings {
        println!("\n{}", report::table::render(finding).trim_end());
    }
    println!("\n{} cases in {} s", findings.len(), start.elapsed().as_secs());
    Ok((machine, findings))
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
    let wanted =
        |scene: &&Scene| asked(scene) || args.scenes.is_empty() && (scene.quick || !args.quick);
    let mut chosen: Vec<&'static Scene> = scene::ALL.iter().filter(wanted).collect();
    chosen.retain(|scene| match scene.needs {
        Some(program) if !in_path(program) => {
            eprintln!("scene {} is left out: there is no `{program}` in the path", scene.name);
            false
        }
        _ => true,
    });
    Ok(chosen)
}

fn in_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
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

fn settings(args: &Args) -> Result<(Bench, Budget), String> {
    let span = |seconds: f64| Duration::try_from_secs_f64(seconds).map_err(|e| e.to_string());
    let measured = span(args.seconds.unwrap_or(if args.quick { 0.1 } else { 0.4 }))?;
    let time = span(args.minutes.unwrap_or(if args.quick { 2.0 } else { 30.0 }) * 60.0)?;
    let rounds = args.rounds.unwrap_or(if args.quick { 3 } else { 7 });
    let processors = sys::processors().map_err(|e| format!("which processors there are: {e}"))?;
    let descriptors =
        sys::raise_descriptor_limit().map_err(|e| format!("the limit of descriptors: {e}"))?;
    if processors.len() < 2 {
        eprintln!("suite: there is one processor only: servers and load share it");
    }
    let bench = Bench {
        quick: args.quick,
        processors,
        span: Span { warm_up: measured / 3, measured },
        target: (measured / 8).max(TARGET_LEAST),
        descriptors,
    };
    bench.warn_of_limits();
    Ok((bench, Budget { rounds, time }))
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

fn heading(machine: &Facts) -> String {
    let lines: Vec<_> = machine.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    lines.join("\n")
}

/// The page at `path`, which must have room for results.
fn page(path: &Path) -> Result<Page, String> {
    Page::parse(&read(path)?).ok_or_else(|| format!("{}: no markers for results", path.display()))
}

fn create(directory: &Path) -> Result<(), String> {
    std::fs::create_dir_all(directory).map_err(|e| format!("{}: {e}", directory.display()))
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))
}
