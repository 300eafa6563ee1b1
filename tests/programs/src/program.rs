//! A program that runs, and what the kernel says of it.

use std::fs::{self, File};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{
    Pid, Resource, Rlimit, Signal, getrlimit, kill_process, kill_process_group, setrlimit,
};

use crate::folder::{Folder, free_address};

/// How long a program may take to listen, and how long to end.
const PATIENCE: Duration = Duration::from_secs(150);

/// A program, until this is dropped.
#[derive(Debug)]
pub struct Program {
    child: Child,
    folder: Folder,
    /// Where it is to listen.
    pub address: SocketAddr,
}

impl Program {
    /// Starts what `command` makes of an address and a folder of the program's own.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn start(name: &str, command: impl FnOnce(SocketAddr, &Folder) -> Command) -> Self {
        let folder = Folder::new(name);
        let address = free_address();
        let mut command = command(address, &folder);
        let log = File::create(folder.path().join("log")).expect("a file for its words");
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a descriptor"))
            .stderr(log)
            .process_group(0)
            .spawn()
            .expect("the program starts");
        Self { child, folder, address }
    }

    /// The same, and waits until it listens.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub fn listening(name: &str, command: impl FnOnce(SocketAddr, &Folder) -> Command) -> Self {
        let mut program = Self::start(name, command);
        program.wait_until("listens", |it| TcpStream::connect(it.address).is_ok());
        program
    }

    /// Waits for something to happen while it runs.
    ///
    /// # Panics
    ///
    /// If that takes too long, or the program has ended.
    pub fn wait_until(&mut self, what: &str, mut happens: impl FnMut(&Self) -> bool) {
        let begin = Instant::now();
        while !happens(self) {
            let ended = self.child.try_wait().expect("the state of a child");
            assert!(
                ended.is_none() && begin.elapsed() < PATIENCE,
                "waited until it {what}: {ended:?}\n{}",
                self.log()
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Its folder.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// What it has said so far.
    pub fn log(&self) -> String {
        let log = fs::read(self.folder.path().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Sends it a signal.
    ///
    /// # Panics
    ///
    /// If there is no such process.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("the process is there");
    }

    /// Waits for its end.
    ///
    /// # Panics
    ///
    /// If that does not come in time.
    pub fn ended(&mut self) -> ExitStatus {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("the state of a child") {
                return status;
            }
            assert!(begin.elapsed() < PATIENCE, "it does not end\n{}", self.log());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Sends it a signal, and waits for its end.
    ///
    /// # Panics
    ///
    /// If that does not come in time.
    pub fn stopped_by(mut self, signal: Signal) -> ExitStatus {
        self.signal(signal);
        self.ended()
    }

    /// How many OS threads its process has.
    pub fn os_threads(&self) -> usize {
        self.number("Threads:")
    }

    /// A number of its status.
    pub fn number(&self, name: &str) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.trim_end_matches("kB").trim().parse().unwrap_or(0)
    }

    /// The processor time of all its threads so far, kernel included.
    pub fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id())).unwrap_or_default();
        let behind_name = stat.rsplit(')').next().unwrap_or_default();
        let ticks: u64 = behind_name
            .split_whitespace()
            .skip(11)
            .take(2)
            .filter_map(|n| n.parse::<u64>().ok())
            .sum();
        Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // What it has started is in its group.
        let _ = kill_process_group(self.pid(), Signal::KILL);
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("{}", self.log());
        }
    }
}

/// Allows this process, and those it starts, as many open files as the system lets it have.
///
/// # Errors
///
/// Those of the system.
pub fn limit_of_files() -> io::Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}
