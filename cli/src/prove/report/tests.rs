//! Verdicts on traces small enough to read.

use super::{Report, Verdict, count};
use crate::prove::{Format, Trace};

fn report(trace: &str) -> Report {
    let trace = Trace::read(trace.as_bytes(), Format::Strace).expect("memory can be read");
    Report::new(&trace, 2)
}

const ON_GREEN_THREADS: &str = "\
10 100.000000 clone3({flags=CLONE_VM|CLONE_THREAD}, 88) = 11 <0.000020>
10 100.100000 accept4(3<socket:[1]>, NULL, NULL, SOCK_CLOEXEC) = 5<socket:[2]> <0.900000>
11 101.000000 recvfrom(5<socket:[2]>, 0x1, 9, MSG_DONTWAIT, NULL, NULL) = -1 EAGAIN (again) <0.000001>
11 101.100000 epoll_pwait2(4<anon>, [{events=EPOLLIN}], 64, NULL, NULL, 8) = 1 <0.900000>
11 102.000000 recvfrom(5<socket:[2]>, \"hi\", 9, MSG_DONTWAIT, NULL, NULL) = 2 <0.000001>
11 102.100000 epoll_pwait2(4<anon>,  <unfinished ...>
10 103.000000 accept4(3<socket:[1]>,  <unfinished ...>
10 105.000000 +++ killed by SIGTERM +++
";

const ON_OS_THREADS: &str = "\
10 100.000000 clone3({flags=CLONE_VM|CLONE_THREAD}, 88) = 11 <0.000020>
11 101.000000 read(5<socket:[2]>,  <unfinished ...>
10 101.000000 clone3({flags=CLONE_VM|CLONE_THREAD}, 88) = 12 <0.000020>
12 101.100000 futex(0x1, FUTEX_WAIT_PRIVATE, 2, NULL) = 0 <0.300000>
12 102.000000 recvfrom(6<socket:[3]>, \"hi\", 9, 0, NULL, NULL) = 2 <0.500000>
12 103.000000 +++ exited with 0 +++
10 103.000000 clone3({flags=CLONE_VM|CLONE_THREAD}, 88) = 13 <0.000020>
10 105.000000 +++ killed by SIGTERM +++
";

#[test]
fn events_waited_for_and_empty_reads_are_an_event_loop() {
    let report = report(ON_GREEN_THREADS);
    assert_eq!(report.verdict(), Verdict::EventLoop);
    assert_eq!(report.connections, 1);
    assert_eq!(report.empty_reads, 1);
    assert_eq!(report.event_loop["epoll_pwait2"], 2);
}

#[test]
fn main_may_block_in_accept() {
    let report = report(ON_GREEN_THREADS);
    assert_eq!(report.blocked_main["accept4"].calls, 2);
    assert!(report.blocked_sockets.is_empty());
}

#[test]
fn a_thread_that_blocks_in_a_read_is_no_event_loop() {
    let report = report(ON_OS_THREADS);
    assert_eq!(
        report.verdict(),
        Verdict::OsThreads(vec![
            "nobody waits for events".into(),
            "2 OS threads blocked in socket calls".into()
        ])
    );
    assert_eq!(report.blocked_sockets["read"].longest.as_secs(), 4);
    assert_eq!(report.blocked_elsewhere["futex"].threads.len(), 1);
}

#[test]
fn threads_at_once_are_fewer_than_threads_started() {
    let report = report(ON_OS_THREADS);
    assert_eq!((report.threads, report.threads_at_once), (3, 2));
}

#[test]
fn more_threads_than_processors_need_are_no_event_loop() {
    let mut trace = ON_GREEN_THREADS.to_owned();
    for id in 12..18 {
        trace += &format!("10 104.000000 clone3({{flags=CLONE_THREAD}}, 88) = {id} <0.000020>\n");
    }
    assert_eq!(
        report(&trace).verdict(),
        Verdict::OsThreads(vec!["7 OS threads started in one process, where 6 do".into()])
    );
}

#[test]
fn each_process_may_have_its_threads() {
    let mut trace = ON_GREEN_THREADS.to_owned();
    for process in [20, 30] {
        trace += &format!("10 104.000000 vfork() = {process} <0.000020>\n");
        for id in 1..5 {
            let id = process + id;
            let clone = format!("clone3({{flags=CLONE_THREAD}}, 88) = {id} <0.000020>");
            trace += &format!("{process} 104.100000 {clone}\n");
        }
    }
    let report = report(&trace);
    assert_eq!((report.processes, report.threads, report.threads_in_one), (3, 9, 4));
    assert_eq!(report.verdict(), Verdict::EventLoop);
}

#[test]
fn a_program_without_sockets_gets_no_verdict() {
    let report = report("10 100.000000 write(1</dev/pts/0>, \"hi\", 2) = 2 <0.000001>\n");
    assert_eq!(report.verdict(), Verdict::NothingSeen);
}

#[test]
fn the_report_is_one_a_person_can_read() {
    let text = report(ON_OS_THREADS).to_string();
    assert!(text.contains("OS threads    3 threads started beside main, at most 2 at once\n"));
    assert!(text.contains("event loop    no epoll_wait, no kevent\n"));
    assert!(text.contains("1 read call in 1 OS thread, up to 4.0 s"));
    assert!(text.ends_with("2 OS threads blocked in socket calls\n"));
}

#[test]
fn large_numbers_are_grouped() {
    assert_eq!(count(1_234_567, "call"), "1,234,567 calls");
    assert_eq!(count(1, "process"), "1 process");
    assert_eq!(count(0, "process"), "0 processes");
}
