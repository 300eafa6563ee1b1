//! `docs/seeing.md`: a server with ten thousand idle clients, a deadlocked pair and a thread that computes. The
//! commands of the page are run, and what they print is compared with what stands there: of a process that runs,
//! of one that was stopped, and of a core file.

#![cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"))]

mod examples_support;

use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{self, Command};

use examples_support::{Build, path};
use rustix::process::{Resource, Signal, getrlimit};
use tests::look::{Scene, core_of};

const LOOK: &str = env!("CARGO_BIN_EXE_look");

const N_CLIENTS: u64 = 10_000;
/// Descriptors that the server has beside those of clients, and more.
const OTHERS: u64 = 100;

/// The process on the page, and the program.
const PID: &str = "4711";
const PROGRAM: &str = "target/debug/stuck";

/// A command of the page, and what it prints there.
struct Shown {
    command: String,
    printed: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace")
}

/// The commands of the scene, in order.
fn page() -> Vec<Shown> {
    let page = fs::read_to_string(root().join("docs/seeing.md")).unwrap();
    let (_, scene) = page.split_once("## A server with ten thousand clients").expect("the scene");
    let blocks = scene.split("```console\n").skip(1);
    let blocks = blocks.map(|block| block.split_once("```").expect("an end").0);
    // The first one starts it.
    let commands = blocks.skip(1).flat_map(|block| block.split("$ ").skip(1));
    let shown = |text: &str| {
        let (command, printed) = text.split_once('\n').expect("a line");
        Shown { command: command.to_owned(), printed: printed.to_owned() }
    };
    commands.map(shown).collect()
}

/// What is the same each time: without addresses, ports, times, and numbers that the kernel or the scheduler
/// gives.
fn normalized(text: &str) -> String {
    text.lines().map(|line| normalized_line(line) + "\n").collect()
}

fn normalized_line(line: &str) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    let is_number = |word: &str| word.starts_with(|c: char| c.is_ascii_digit());
    let is_unit =
        |word: &str| ["s", "ms", "µs", "ns"].contains(&word.trim_end_matches([',', ':', ';']));
    let same = |(i, word): (usize, &&str)| {
        let before = if i > 0 { words[i - 1] } else { "" };
        let next = words.get(i + 1).copied().unwrap_or_default();
        let end = word.trim_start_matches(|c: char| c.is_ascii_alphanumeric());
        match *word {
            _ if word.starts_with("0x") => format!("ADDRESS{end}"),
            _ if word.starts_with("127.0.0.1:") => "PEER".to_owned(),
            _ if word.contains(PROGRAM) => word[word.find("stuck").unwrap()..].to_owned(),
            _ if word.contains(".rs:") => word[..word.find(".rs").unwrap()].to_owned(),
            _ if is_unit(word) && is_number(before) => "UNIT".to_owned(),
            _ if is_number(word) && is_unit(next) => "TIME".to_owned(),
            _ if is_number(word)
                && ["parked", "running", "descriptor", "thread"].contains(&before) =>
            {
                format!("N{end}")
            }
            _ => (*word).to_owned(),
        }
    };
    words.iter().enumerate().map(same).collect::<Vec<_>>().join(" ")
}

/// What the commands are run with.
struct Place {
    /// Where `sylvan` is, and what the commands write.
    folder: PathBuf,
    program: PathBuf,
    n_clients: u64,
}

impl Place {
    fn new() -> Self {
        let limit = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
        let n_clients = N_CLIENTS.min(limit.saturating_sub(OTHERS));
        if n_clients < N_CLIENTS {
            println!("{n_clients} clients: a process may have {limit} descriptors here");
        }
        let folder = env::temp_dir().join(format!("sylvan-seeing-{}", process::id()));
        fs::create_dir_all(folder.join("core")).unwrap();
        symlink(LOOK, folder.join("sylvan")).unwrap();
        Self { folder, program: path(Build::Shim, "stuck"), n_clients }
    }

    /// Where its core file comes to lie.
    fn core(&self) -> PathBuf {
        self.folder.join("core")
    }

    /// The server, with as many clients as it may have.
    fn start(&self) -> Scene {
        let limits = "ulimit -n $(ulimit -Hn) && ulimit -c unlimited && exec \"$0\" \"$1\"";
        let mut command = Command::new("sh");
        command.args(["-c", limits]).arg(&self.program).arg(self.n_clients.to_string());
        command.env("SYLVAN_WORKERS", "2").env("SYLVAN_TLS", "own");
        Scene::start_until("ready:", command.current_dir(self.core())).at_rest(LOOK)
    }

    /// Runs a command of the page, with this process or core file, and compares what it prints.
    /// `ran` is in which part of the time the thread ran that computes.
    fn compare(&self, shown: &Shown, pid: &str, core: &Path, ran: &str) {
        let target = self.program.ancestors().nth(2).expect("target/debug/stuck");
        let (target, core) = (target.to_str().unwrap(), core.to_str().unwrap());
        let (folder, program) = (self.folder.to_str().unwrap(), self.program.to_str().unwrap());
        let with = [
            ("/tmp/", format!("{folder}/")),
            ("path target", format!("path {target}")),
            (PROGRAM, program.to_owned()),
            (PID, pid.to_owned()),
            ("--core core", format!("--core {core}")),
        ];
        let replace = |text: String, (from, to): &(&str, String)| text.replace(from, to);
        let command = with.iter().fold(shown.command.clone(), replace);
        let paths = format!("{folder}:{}", env::var("PATH").unwrap());
        let output = Command::new("sh")
            .args(["-c", &command])
            .current_dir(root())
            .env("PATH", paths)
            .output();
        let output = output.unwrap();
        let printed = String::from_utf8(output.stdout)
            .unwrap()
            .replace(&format!("process {pid}"), &format!("process {PID}"))
            .replace(core, "core");
        let n = |beside: i64| (self.n_clients.cast_signed() + beside).to_string();
        let expected =
            [("10003", n(3)), ("10000", n(0)), ("9992", n(-8)), ("100 %", ran.to_owned())];
        let expected = expected.iter().fold(shown.printed.clone(), replace);
        let (printed, expected) = (normalized(&printed), normalized(&expected));
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(printed, expected, "{}\n{stderr}", shown.command);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn each_command_of_the_page_tells_which_thread_is_which() {
    let page = page();
    let has_gdb = Command::new("gdb").arg("--version").output().is_ok();
    if !has_gdb {
        println!("left out: gdb (`ci/install.sh` installs it)");
    }
    let is_of_core = |shown: &&Shown| shown.command.contains("--core");
    let can_run = |shown: &&Shown| has_gdb || !shown.command.starts_with("gdb ");
    let of_process: Vec<&Shown> =
        page.iter().filter(|shown| !is_of_core(shown)).filter(can_run).collect();
    let of_core: Vec<&Shown> = page.iter().filter(is_of_core).collect();
    assert!(of_process.len() >= 4 && of_core.len() == 2, "the page has the commands");

    let place = Place::new();
    let scene = place.start();
    let pid = scene.pid().to_string();
    let look = |ran| {
        let core = Path::new("core");
        of_process.iter().for_each(|shown| place.compare(shown, &pid, core, ran));
    };
    look("100 %");
    scene.signal(Signal::STOP);
    look("0 %");
    scene.signal(Signal::CONT);
    if let Some(core) = core_of(scene, &place.core()) {
        of_core.iter().for_each(|shown| place.compare(shown, &pid, &core, "100 %"));
    }
}
