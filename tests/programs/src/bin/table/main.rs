//! The table of programs: each on OS threads and green, in turns, with the same clients.
//!
//! `cargo run --release --bin table -- [--rounds N] [--seconds S] [NAME…]` prints it as Markdown, a row a program and
//! number of clients; NAMEs choose rows by what their names begin with. A cell says `OS threads → green`, medians
//! of the rounds. The processes of a program are all those of its group.

mod load;
mod rows;
mod usage;

use std::process::ExitCode;
use std::time::Duration;

use programs::Threads;
use rows::{ROWS, Row};

/// What one run has shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    /// OS threads of the program, under load.
    os_threads: f64,
    /// Requests a second.
    rate: f64,
    /// In milliseconds.
    p95: f64,
    p99: f64,
    /// Processor time for a request, in microseconds.
    cpu: f64,
    /// Resident and the kernel's: page tables, stacks. In MiB.
    memory: f64,
}

impl Sample {
    /// Of a program that did not do it.
    fn failed() -> Self {
        let none = f64::NAN;
        Self { os_threads: none, rate: none, p95: none, p99: none, cpu: none, memory: none }
    }
}

struct Options {
    rounds: usize,
    seconds: Duration,
    names: Vec<String>,
}

fn main() -> ExitCode {
    let options = match parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("error: {error}; usage: table [--rounds N] [--seconds S] [NAME...]");
            return ExitCode::from(2);
        }
    };
    programs::limit_of_files().expect("a limit can be raised to its maximum");
    println!(
        "| program | clients | OS threads | requests/s | p95, ms | p99, ms | processor µs/request | memory, MiB |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|");
    for row in ROWS.iter().filter(|row| options.wants(row)) {
        let mut samples = [Vec::new(), Vec::new()];
        for round in 0..options.rounds {
            eprintln!("{}, {} clients, round {}", row.name, row.clients, round + 1);
            for (threads, samples) in Threads::ALL.into_iter().zip(&mut samples) {
                samples.push((row.run)(threads, row.clients, options.seconds));
            }
        }
        println!("{}", line(row, &samples));
    }
    ExitCode::SUCCESS
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options { rounds: 5, seconds: Duration::from_secs(3), names: Vec::new() };
    while let Some(arg) = args.next() {
        let mut number = || {
            let text = args.next().unwrap_or_default();
            text.parse::<f64>().map_err(|_| format!("`{arg}` expected a number, got `{text}`"))
        };
        match &*arg {
            "--rounds" => options.rounds = number()? as usize,
            "--seconds" => options.seconds = Duration::from_secs_f64(number()?),
            option if option.starts_with('-') => return Err(format!("unexpected `{option}`")),
            _ => options.names.push(arg),
        }
    }
    Ok(options)
}

impl Options {
    fn wants(&self, row: &Row) -> bool {
        self.names.is_empty() || self.names.iter().any(|name| row.name.starts_with(&**name))
    }
}

/// The median of one number of each run.
fn median(samples: &[Sample], number: impl Fn(&Sample) -> f64) -> f64 {
    let mut numbers: Vec<f64> = samples.iter().map(number).collect();
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}

fn line(row: &Row, [os, green]: &[Vec<Sample>; 2]) -> String {
    let cell = |number: fn(&Sample) -> f64, digits: usize| {
        let (os, green) = (median(os, number), median(green, number));
        if os == 0.0 && green == 0.0 {
            return String::new();
        }
        format!("{os:.digits$} → {green:.digits$}")
    };
    let cells = [
        row.name.to_owned(),
        row.clients.to_string(),
        cell(|it| it.os_threads, 0),
        cell(|it| it.rate, 0),
        cell(|it| it.p95, 1),
        cell(|it| it.p99, 1),
        cell(|it| it.cpu, 1),
        cell(|it| it.memory, 1),
    ];
    format!("| {} |", cells.join(" | "))
}
