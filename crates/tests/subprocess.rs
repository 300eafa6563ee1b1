//! `subprocess`, which starts children by itself and waits for their pipes by libc's `poll`.

use std::time::{Duration, Instant};

use crates::{Watch, crowd, green};
use subprocess::{Exec, Redirection};

const CROWD: usize = 30;

#[test]
fn thirty_pipelines_at_once_give_their_results() {
    green(|| {
        let watch = Watch::begin();
        let sorted = crowd(CROWD, |i| {
            let numbers = (0..=i).rev().map(|n| format!("{n}\n")).collect::<String>();
            let pipeline = Exec::shell("sleep 0.1; exec cat") | Exec::cmd("sort").arg("-n");
            pipeline.stdin(numbers).capture().unwrap().stdout_str()
        });
        watch.at_most(4 * CROWD, "thirty of subprocess's pipelines");
        for (i, lines) in sorted.into_iter().enumerate() {
            assert_eq!(lines, (0..=i).map(|n| format!("{n}\n")).collect::<String>());
        }
    });
}

#[test]
fn a_mebibyte_goes_in_and_comes_out_at_once() {
    green(|| {
        let bytes = vec![b'x'; 1 << 20];
        let captured = Exec::cmd("cat").stdin(bytes.clone()).capture().unwrap();
        assert!(captured.success());
        assert!(captured.stdout == bytes);
    });
}

#[test]
fn a_child_that_lasts_is_waited_for_in_vain_and_ended() {
    green(|| {
        let begin = Instant::now();
        let child = Exec::cmd("sleep").arg("60").stdout(Redirection::Null).start().unwrap();
        assert!(child.wait_timeout(Duration::from_millis(50)).unwrap().is_none());
        child.terminate().unwrap();
        let ended = child.wait().unwrap();
        assert_eq!(ended.signal(), Some(libc::SIGTERM));
        assert!(begin.elapsed() < Duration::from_secs(30));
    });
}
