//! Each type of the mirror prints as std's of the same name does: what both can be made of is
//! printed as the one and as the other, and the rest side by side.

use std::fmt::Debug;
use std::io::pipe;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::{env, fs, process, thread};

/// Plainly and indented.
fn printed(value: &impl Debug) -> [String; 2] {
    [format!("{value:?}"), format!("{value:#?}")]
}

/// `value` of std prints the same once it is `Green`.
#[track_caller]
fn prints_as_std<Plain: Debug, Green: Debug + From<Plain>>(value: Plain) -> Green {
    let of_std = printed(&value);
    let green = Green::from(value);
    assert_eq!(printed(&green), of_std);
    green
}

#[test]
fn sockets_print_as_in_std() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let Ok(listener) = TcpListener::bind(address) else { continue };
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        prints_as_std::<_, std_shim::net::TcpStream>(client);
        prints_as_std::<_, std_shim::net::TcpStream>(server);
        let socket = UdpSocket::bind(address).unwrap();
        prints_as_std::<_, std_shim::net::UdpSocket>(socket.try_clone().unwrap());
        socket.connect(listener.local_addr().unwrap()).unwrap();
        prints_as_std::<_, std_shim::net::UdpSocket>(socket);
        let of_std = printed(&listener.incoming());
        let listener = prints_as_std::<_, std_shim::net::TcpListener>(listener);
        assert_eq!(printed(&listener.incoming()), of_std);
    }
    let (near, far) = UnixStream::pair().unwrap();
    prints_as_std::<_, std_shim::os::unix::net::UnixStream>(near);
    prints_as_std::<_, std_shim::os::unix::net::UnixStream>(far);
    let (near, _far) = UnixDatagram::pair().unwrap();
    prints_as_std::<_, std_shim::os::unix::net::UnixDatagram>(near);
    let unbound = UnixDatagram::unbound().unwrap();
    prints_as_std::<_, std_shim::os::unix::net::UnixDatagram>(unbound);

    let path = env::temp_dir().join(format!("debug-{}.sock", process::id()));
    let listener = UnixListener::bind(&path).unwrap();
    let client = UnixStream::connect(&path).unwrap();
    prints_as_std::<_, std_shim::os::unix::net::UnixStream>(client);
    let of_std = printed(&listener.incoming());
    let listener = prints_as_std::<_, std_shim::os::unix::net::UnixListener>(listener);
    assert_eq!(printed(&listener.incoming()), of_std);
    fs::remove_file(&path).unwrap();
}

#[test]
fn files_print_as_in_std() {
    prints_as_std::<_, std_shim::fs::File>(fs::File::open("/proc/self/exe").unwrap());
    let (reader, writer) = pipe().unwrap();
    prints_as_std::<_, std_shim::io::PipeReader>(reader);
    prints_as_std::<_, std_shim::io::PipeWriter>(writer);
    prints_as_std::<_, std_shim::fs::OpenOptions>(fs::OpenOptions::new());
    let mut options = fs::OpenOptions::new();
    options.read(true).create_new(true);
    prints_as_std::<_, std_shim::fs::OpenOptions>(options);
    prints_as_std::<_, std_shim::fs::DirBuilder>(fs::DirBuilder::new());
    let directory = fs::read_dir("/proc/self").unwrap();
    prints_as_std::<_, std_shim::fs::ReadDir>(directory);
    let entry = fs::read_dir("/proc/self").unwrap().next().unwrap().unwrap();
    prints_as_std::<_, std_shim::fs::DirEntry>(entry);
}

#[test]
fn children_print_as_in_std() {
    let mut command = std_shim::process::Command::new("cat");
    command.arg("with \"quotes\"").env("A", "b").env_remove("C").current_dir("/");
    let green = printed(&command);
    assert_eq!(green, printed(&Command::from(command)));
    prints_as_std::<_, std_shim::process::Stdio>(Stdio::piped());
    let mut command = Command::new("cat");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    prints_as_std::<_, std_shim::process::ChildStdout>(child.stdout.take().unwrap());
    let mut child = prints_as_std::<_, std_shim::process::Child>(child);
    // `cat` ends with its input.
    let stdin = child.stdin.take().unwrap();
    prints_as_std::<process::ChildStdin, std_shim::process::ChildStdin>(stdin.into());
    child.wait().unwrap();
}

/// Numbers differ from thread to thread.
fn without_numbers(printed: &[String]) -> Vec<String> {
    let hide = |c: char| if c.is_ascii_digit() { '0' } else { c };
    let hidden = printed.iter().map(|text| text.chars().map(hide).collect::<String>());
    hidden.map(|text| text.replace("00", "0").replace("00", "0")).collect()
}

macro_rules! print_all {
    ($std:ident) => {{
        use ::std::time::Duration;
        use ::$std::io::{stderr, stdin, stdout};
        use ::$std::sync::{Barrier, Condvar, Mutex, Once, OnceState, RwLock};
        use ::$std::thread::{Builder, current, park_timeout, scope, spawn};

        let mut all = Vec::new();
        let mut print = |value: &dyn Debug| all.extend(printed(&value));
        let builder = Builder::new().name("printed".to_owned()).stack_size(1 << 16);
        print(&builder);
        let named = builder.spawn(|| park_timeout(Duration::ZERO)).unwrap();
        print(&named);
        print(named.thread());
        print(&named.thread().id());
        named.join().unwrap();
        print(spawn(|| ()).thread());
        print(&spawn(|| current().name().map(str::to_owned)).join());
        scope(|scope| {
            print(&scope.spawn(|| ()));
            print(&Builder::new().spawn_scoped(scope, || ()).unwrap());
        });
        // No thread comes and goes meanwhile.
        scope(|scope| print(scope));

        let barrier = Barrier::new(1);
        print(&barrier);
        print(&barrier.wait());
        let (lock, condvar) = (Mutex::new(1), Condvar::new());
        print(&condvar);
        let (guard, result) =
            condvar.wait_timeout(lock.lock().unwrap(), Duration::from_millis(1)).unwrap();
        print(&guard);
        print(&result);
        let lock = RwLock::new("text");
        print(&lock.read().unwrap());
        print(&lock.write().unwrap());
        print(&lock.write());
        let once = Once::new();
        once.call_once_force(|state: &OnceState| print(state));
        print(&once);

        print(&stdin());
        print(&stdin().lock());
        print(&stdout());
        print(&stdout().lock());
        print(&stderr());
        print(&stderr().lock());
        all
    }};
}

#[test]
fn threads_locks_and_streams_print_as_in_std() {
    let of_std = thread::spawn(|| print_all!(std)).join().unwrap();
    let on_os_thread = thread::spawn(|| print_all!(std_shim)).join().unwrap();
    let on_green_thread = sylvan::spawn(|| print_all!(std_shim)).join().unwrap();
    assert_eq!(without_numbers(&on_os_thread), without_numbers(&of_std));
    assert_eq!(without_numbers(&on_green_thread), without_numbers(&of_std));
}
