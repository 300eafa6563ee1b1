//! `portable-pty`, with shells in terminals.

use std::io::{BufRead, BufReader, Write};

use crates::{Watch, crowd, green};
use portable_pty::{CommandBuilder, PtySize, native_pty_system};

const CROWD: usize = 20;

#[test]
fn twenty_shells_answer_in_their_terminals() {
    green(|| {
        let watch = Watch::begin();
        crowd(CROWD, |i| {
            let size = PtySize { rows: 20 + i as u16, cols: 90, ..PtySize::default() };
            let pair = native_pty_system().openpty(size).unwrap();
            let mut shell = CommandBuilder::new("sh");
            shell.args(["-c", "read line; test -t 0 && echo got $line; stty size; exit 3"]);
            let mut child = pair.slave.spawn_command(shell).unwrap();
            drop(pair.slave);
            let reader = pair.master.try_clone_reader().unwrap();
            let mut writer = pair.master.take_writer().unwrap();
            writeln!(writer, "line {i}").unwrap();
            // What the terminal echoes comes first.
            let lines = BufReader::new(reader).lines().map_while(Result::ok);
            let lines: Vec<String> = lines.map(|line| line.trim_end().to_owned()).collect();
            assert_eq!(
                lines,
                [format!("line {i}"), format!("got line {i}"), format!("{} 90", 20 + i)]
            );
            assert_eq!(child.wait().unwrap().exit_code(), 3);
        });
        watch.at_most(4 * CROWD, "twenty shells of portable-pty's");
    });
}
