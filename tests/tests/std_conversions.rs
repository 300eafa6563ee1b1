//! What a dependency with real std hands over, and what it is handed: types that are the mirror's
//! convert from and into std's, and what std's types can do, they can do under the mirror's traits.

use std::fmt::Debug;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd};

use std_shim::io::IsTerminal;
use std_shim::os::unix::fs::{DirBuilderExt, DirEntryExt, FileExt, OpenOptionsExt};
use std_shim::{fs, io, net, os, process};

/// Both ways, and each is a thing that can be looked at.
fn convert<Green: From<Plain> + Debug, Plain: From<Green> + Debug>() {}

/// What owns a descriptor, all its ways, alike in both.
fn own_a_descriptor<Green, Plain>()
where
    Green: From<Plain> + From<OwnedFd> + Into<OwnedFd> + AsFd + AsRawFd + IntoRawFd,
    Plain: From<Green> + From<OwnedFd> + Into<OwnedFd> + AsFd + AsRawFd + IntoRawFd,
{
    convert_quietly::<Green, Plain>();
}

fn convert_quietly<Green: From<Plain>, Plain: From<Green>>() {}

fn come_from_a_number<Green: FromRawFd, Plain: FromRawFd>() {}

/// A child's stream, whoever starts the child and whosever the type is.
fn are_streams<Green, Plain>()
where
    process::Stdio: From<Green> + From<Plain>,
    std::process::Stdio: From<Green> + From<Plain>,
{
}

/// The traits of Unix that both have.
fn are_files<Green: FileExt, Plain: FileExt>() {}
fn are_options<Green: OpenOptionsExt, Plain: OpenOptionsExt>() {}
fn are_builders<Green: DirBuilderExt, Plain: DirBuilderExt>() {}
fn are_entries<Green: DirEntryExt, Plain: DirEntryExt>() {}

fn may_be_terminals<Green: IsTerminal, Plain: IsTerminal>() {}

/// It compiles, or a conversion is missing.
#[test]
fn all_that_has_a_twin_in_std_converts_both_ways() {
    own_a_descriptor::<fs::File, std::fs::File>();
    own_a_descriptor::<io::PipeReader, std::io::PipeReader>();
    own_a_descriptor::<io::PipeWriter, std::io::PipeWriter>();
    own_a_descriptor::<net::TcpListener, std::net::TcpListener>();
    own_a_descriptor::<net::TcpStream, std::net::TcpStream>();
    own_a_descriptor::<net::UdpSocket, std::net::UdpSocket>();
    own_a_descriptor::<os::unix::net::UnixDatagram, std::os::unix::net::UnixDatagram>();
    own_a_descriptor::<os::unix::net::UnixListener, std::os::unix::net::UnixListener>();
    own_a_descriptor::<os::unix::net::UnixStream, std::os::unix::net::UnixStream>();
    own_a_descriptor::<process::ChildStderr, std::process::ChildStderr>();
    own_a_descriptor::<process::ChildStdin, std::process::ChildStdin>();
    own_a_descriptor::<process::ChildStdout, std::process::ChildStdout>();

    come_from_a_number::<fs::File, std::fs::File>();
    come_from_a_number::<io::PipeReader, std::io::PipeReader>();
    come_from_a_number::<io::PipeWriter, std::io::PipeWriter>();
    come_from_a_number::<net::TcpListener, std::net::TcpListener>();
    come_from_a_number::<net::TcpStream, std::net::TcpStream>();
    come_from_a_number::<net::UdpSocket, std::net::UdpSocket>();
    come_from_a_number::<os::unix::net::UnixDatagram, std::os::unix::net::UnixDatagram>();
    come_from_a_number::<os::unix::net::UnixListener, std::os::unix::net::UnixListener>();
    come_from_a_number::<os::unix::net::UnixStream, std::os::unix::net::UnixStream>();
    come_from_a_number::<process::Stdio, std::process::Stdio>();

    convert::<fs::DirBuilder, std::fs::DirBuilder>();
    convert::<fs::DirEntry, std::fs::DirEntry>();
    convert::<fs::OpenOptions, std::fs::OpenOptions>();
    convert::<fs::ReadDir, std::fs::ReadDir>();
    convert::<process::Child, std::process::Child>();
    convert::<process::Command, std::process::Command>();
    convert::<process::Stdio, std::process::Stdio>();

    are_streams::<OwnedFd, process::Stdio>();
    are_streams::<fs::File, std::fs::File>();
    are_streams::<io::PipeReader, std::io::PipeReader>();
    are_streams::<io::PipeWriter, std::io::PipeWriter>();
    are_streams::<io::Stderr, std::io::Stderr>();
    are_streams::<io::Stdout, std::io::Stdout>();
    are_streams::<process::ChildStderr, std::process::ChildStderr>();
    are_streams::<process::ChildStdin, std::process::ChildStdin>();
    are_streams::<process::ChildStdout, std::process::ChildStdout>();

    are_files::<fs::File, std::fs::File>();
    are_options::<fs::OpenOptions, std::fs::OpenOptions>();
    are_builders::<fs::DirBuilder, std::fs::DirBuilder>();
    are_entries::<fs::DirEntry, std::fs::DirEntry>();

    may_be_terminals::<fs::File, std::fs::File>();
    may_be_terminals::<io::Stderr, std::io::Stderr>();
    may_be_terminals::<io::StderrLock<'_>, std::io::StderrLock<'_>>();
    may_be_terminals::<io::Stdin, std::io::Stdin>();
    may_be_terminals::<io::StdinLock<'_>, std::io::StdinLock<'_>>();
    may_be_terminals::<io::Stdout, std::io::Stdout>();
    may_be_terminals::<io::StdoutLock<'_>, std::io::StdoutLock<'_>>();
}

#[test]
fn a_command_of_std_does_in_the_mirror_what_it_would_have_done() {
    tests::green("a_command_of_std", || {
        let said = |command: std::process::Command| process::Command::from(command).output();

        // Streams that nobody has chosen: nothing to read, and what is written is returned.
        let mut open = std::process::Command::new("sh");
        open.args(["-c", "cat; echo out; echo err >&2; exit 3"]);
        let output = said(open).unwrap();
        assert_eq!((&*output.stdout, &*output.stderr), (&b"out\n"[..], &b"err\n"[..]));
        assert_eq!(output.status.code(), Some(3));

        // Those that somebody has chosen stay.
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut chosen = std::process::Command::new("echo");
        chosen.arg("elsewhere").stdout(writer);
        assert_eq!(said(chosen).unwrap().stdout, b"");
        let mut elsewhere = [0; 10];
        reader.read_exact(&mut elsewhere).unwrap();
        assert_eq!(&elsewhere, b"elsewhere\n");

        // What is chosen after, too.
        let mut later = process::Command::from(std::process::Command::new("cat"));
        let mut child =
            later.stdin(process::Stdio::piped()).stdout(process::Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"piped").unwrap();
        assert_eq!(child.wait_with_output().unwrap().stdout, b"piped");
        assert!(later.stdin(process::Stdio::null()).status().unwrap().success());
    });
}

#[test]
fn a_childs_pipe_crosses_into_a_child_of_the_other() {
    tests::green("a_childs_pipe_crosses", || {
        let mut of_std = std::process::Command::new("echo");
        let mut first = of_std.arg("one two").stdout(std::process::Stdio::piped()).spawn().unwrap();
        let mut count = process::Command::new("wc");
        let output = count.arg("-w").stdin(first.stdout.take().unwrap()).output().unwrap();
        assert_eq!(output.stdout.trim_ascii(), b"2");
        assert!(first.wait().unwrap().success());

        let mut echo = process::Command::new("echo");
        let mut first = echo.arg("three four").stdout(process::Stdio::piped()).spawn().unwrap();
        let mut count = std::process::Command::new("wc");
        let output = count.arg("-w").stdin(first.stdout.take().unwrap()).output().unwrap();
        assert_eq!(output.stdout.trim_ascii(), b"2");
        assert!(first.wait().unwrap().success());
    });
}

#[test]
fn types_of_std_have_the_mirrors_traits() {
    let null = std::fs::File::open("/dev/null").unwrap();
    assert!(!null.is_terminal());
    #[cfg(target_os = "linux")]
    {
        use std_shim::os::linux::net::TcpStreamExt;

        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        stream.set_quickack(true).unwrap();
        assert!(stream.quickack().unwrap());
    }
}
