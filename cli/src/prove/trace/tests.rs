//! Sample lines, as the tracers wrote them.

use std::time::Duration;

use super::{Call, Format, Outcome, Trace};

fn strace(text: &str) -> Trace {
    Trace::read(text.as_bytes(), Format::Strace).expect("memory can be read")
}

fn only_call(trace: Trace) -> Call {
    let [call] = trace.calls() else { panic!("not one call: {trace:?}") };
    call.clone()
}

#[test]
fn a_whole_line_is_a_call() {
    let call = only_call(strace(
        "7422  1795174963.016753 sendto(6<socket:[13748]>, \"hi\", 2, 0, NULL, 0) = 2 <0.000061>\n",
    ));
    assert_eq!(call.thread, 7422);
    assert_eq!(&*call.name, "sendto");
    assert_eq!(&*call.args, "6<socket:[13748]>, \"hi\", 2, 0, NULL, 0");
    assert_eq!(call.start, Duration::from_micros(1_795_174_963_016_753));
    assert_eq!(call.took, Duration::from_micros(61));
    assert_eq!(call.outcome, Outcome::Value(2));
}

#[test]
fn the_two_halves_of_a_call_meet_across_other_threads() {
    let trace = strace(
        "7524  1795174963.000000 recvfrom(6<socket:[13748]>,  <unfinished ...>\n\
         7422  1795174963.100000 getpid()        = 7422 <0.000004>\n\
         7524  1795174963.500000 <... recvfrom resumed>\"hi\", 4096, 0, NULL, NULL) = 2 <0.500000>\n",
    );
    let [recvfrom, getpid] = trace.calls() else { panic!("not two calls: {trace:?}") };
    assert_eq!(&*getpid.name, "getpid");
    assert_eq!(&*recvfrom.args, "6<socket:[13748]>,\"hi\", 4096, 0, NULL, NULL");
    assert_eq!(recvfrom.took, Duration::from_millis(500));
    assert_eq!(recvfrom.outcome, Outcome::Value(2));
}

#[test]
fn a_call_that_never_ends_lasts_until_its_thread_is_gone() {
    let call = only_call(strace(
        "7524  1795174963.000000 accept4(3<socket:[1]>,  <unfinished ...>\n\
         7524  1795174965.000000 +++ killed by SIGTERM +++\n",
    ));
    assert_eq!(call.took, Duration::from_secs(2));
    assert_eq!(call.outcome, Outcome::Unknown);
}

#[test]
fn a_call_that_never_ends_lasts_until_the_trace_does() {
    let trace = strace(
        "7524  1795174963.000000 recvfrom(3<socket:[1]>,  <unfinished ...>\n\
         7422  1795174964.000000 getpid()        = 7422 <0.000004>\n",
    );
    assert_eq!(trace.calls()[0].took, Duration::from_secs(1));
}

#[test]
fn an_error_has_its_name() {
    let call = only_call(strace(
        "1 1795174963.016441 recvfrom(6<socket:[1]>, 0x7f00, 4096, MSG_DONTWAIT, NULL, NULL) \
         = -1 EAGAIN (Resource temporarily unavailable) <0.000027>\n",
    ));
    assert!(call.failed_with("EAGAIN"));
}

#[test]
fn a_value_is_read_without_what_strace_says_about_it() {
    for (text, outcome) in [
        ("epoll_wait(3<anon>, [], 64, 500) = 0 (Timeout) <0.500488>", Outcome::Value(0)),
        ("accept4(3<socket:[1]>, NULL, NULL, 0) = 5<socket:[2]> <0.000010>", Outcome::Value(5)),
        ("mmap(NULL, 4096, PROT_NONE, 0, -1, 0) = 0x1000 <0.000008>", Outcome::Value(0x1000)),
        ("poll([{fd=3}], 1, 5) = 1 ([{fd=3, revents=POLLIN}]) <0.000001>", Outcome::Value(1)),
        ("recvfrom(3, 0x1, 9, 0, NULL, NULL) = ? ERESTARTSYS <0.000001>", Outcome::Unknown),
        ("exit_group(0)   = ?", Outcome::Unknown),
    ] {
        let call = only_call(strace(&format!("1 1795174963.000001 {text}\n")));
        assert_eq!(call.outcome, outcome, "{text}");
    }
}

#[test]
fn arguments_may_hold_anything() {
    let call = only_call(strace(
        "1 1795174963.000001 write(1</a>, \"f(x) = 1 <unfinished ...>\", 24) = 24 <0.000001>\n",
    ));
    assert_eq!(&*call.args, "1</a>, \"f(x) = 1 <unfinished ...>\", 24");
    assert_eq!(call.outcome, Outcome::Value(24));
}

#[test]
fn a_clone_is_a_thread_or_a_process() {
    let trace = strace(
        "10  1795174963.000001 clone3({flags=CLONE_VM|CLONE_THREAD|CLONE_SETTLS} <unfinished ...>\n\
         11  1795174963.000002 rseq(0x7f0, 0x20, 0, 0x53053053) = 0 <0.000001>\n\
         10  1795174963.000003 <... clone3 resumed> => {parent_tid=[11]}, 88) = 11 <0.000020>\n\
         10  1795174963.000004 clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD) = 12 <0.1>\n\
         10  1795174963.000005 clone3({flags=CLONE_THREAD}, 88) = -1 EAGAIN (try again) <0.000001>\n",
    );
    assert_eq!(trace.calls().iter().filter(|call| call.starts_thread()).count(), 1);
    assert_eq!(trace.calls().iter().filter_map(Call::starts_process).collect::<Vec<_>>(), [12]);
    assert_eq!(trace.main(), Some(10));
    assert_eq!(trace.processes().collect::<Vec<_>>(), [10, 12]);
}

#[test]
fn a_process_that_is_gone_is_no_longer_listed() {
    let trace = strace(
        "10  1795174963.000001 vfork()         = 12 <0.000100>\n\
         12  1795174963.000002 +++ exited with 0 +++\n",
    );
    assert_eq!(trace.processes().collect::<Vec<_>>(), [10]);
    assert_eq!(trace.gone(), [(12, Duration::from_micros(1_795_174_963_000_002))]);
}

#[test]
fn lines_that_are_no_calls_are_skipped() {
    let trace = strace(
        "a line of the program (perhaps) = 1\n\
         \n\
         10  1795174963.832621 --- SIGTERM {si_signo=SIGTERM, si_code=SI_USER} ---\n\
         10  1795174963.832622 +++ superseded by execve in pid 9 +++\n",
    );
    assert_eq!(trace.calls(), []);
}

#[test]
fn calls_of_a_window_began_or_ended_in_it() {
    let trace = strace(
        "1 100.000000 futex(0x1, FUTEX_WAIT, 0, NULL) = 0 <1.500000>\n\
         1 101.600000 write(1, \"\", 0) = 0 <0.000001>\n\
         2 100.000000 epoll_wait(3, [], 1, -1) = 0 <9.000000>\n",
    );
    let at = |seconds| std::time::UNIX_EPOCH + Duration::from_secs(seconds);
    let names = |from, to| -> Vec<&str> {
        trace.active_between(at(from), at(to)).map(|call| &*call.name).collect()
    };
    assert_eq!(names(101, 102), ["futex", "write"]);
    assert_eq!(names(102, 105), <[&str; 0]>::default());
}

#[test]
fn dtruss_names_its_threads_and_numbers_its_errors() {
    let text = "\tPID/THRD  RELATIVE  ELAPSD SYSCALL(args) \t\t = return\n\
                4966/0x54c8:       232:        0: fork()\t\t = 0 0\n\
                a line of the program\n\
                4966/0x54c9:      7001      12 recvfrom(0x4, 0x16D26EA4C, 0x1000)\t\t = -1 Err#35\n\
                4966/0x54ca:      7100     160 kevent(0x3, 0x0, 0x0)\t\t = 1 0\n";
    let trace = Trace::read(text.as_bytes(), Format::Dtruss).expect("memory can be read");
    let [_fork, recvfrom, kevent] = trace.calls() else { panic!("not three: {trace:?}") };
    assert!(recvfrom.failed_with("EAGAIN"));
    assert_eq!(recvfrom.start, Duration::from_micros(7001));
    assert_eq!(kevent.thread, 0x54ca);
    assert_eq!(kevent.took, Duration::from_micros(160));
    assert_eq!(kevent.outcome, Outcome::Value(1));
    assert_eq!(trace.main(), Some(0x54c8));
    assert_eq!(trace.processes().collect::<Vec<_>>(), [4966]);
}
