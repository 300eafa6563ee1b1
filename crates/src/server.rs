//! Servers of other people's, started for one test and stopped after it.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

/// How long a server may take to answer.
const SOON: Duration = Duration::from_secs(60);

/// The name of a server's Unix socket.
const SOCKET: &str = "socket";

/// Debian's place for it, which is not in everybody's PATH.
const MARIADBD: &str = "/usr/sbin/mariadbd";

/// A folder that is removed with what is in it.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Makes one below the system's folder for such.
    ///
    /// # Panics
    ///
    /// If that fails.
    pub fn new(name: &str) -> Self {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let number = MADE.fetch_add(1, Relaxed);
        let name = format!("sylvan-{}-{number}-{name}", process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("a folder");
        Self { path }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// A server, until it is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    folder: Folder,
    has_socket: bool,
    /// Where it listens on the loopback.
    pub address: SocketAddr,
}

impl Server {
    /// Starts `redis-server`; nothing, and a word on standard output, where it is not installed.
    ///
    /// # Panics
    ///
    /// If it does not come up.
    pub fn redis() -> Option<Self> {
        if is_missing("redis-server") {
            return None;
        }
        let folder = Folder::new("redis");
        let address = free_address();
        let mut command = Command::new("redis-server");
        command
            .args(["--bind", "127.0.0.1", "--port", &address.port().to_string()])
            .args(["--save", "", "--appendonly", "no", "--dir"])
            .arg(folder.path())
            .arg("--unixsocket")
            .arg(folder.path().join(SOCKET));
        Some(Self::start(command, folder, address, true))
    }

    /// Starts `mariadbd`; nothing, and a word on standard output, where it is not installed. It
    /// lets in everybody.
    ///
    /// # Panics
    ///
    /// If it does not come up.
    pub fn mariadb() -> Option<Self> {
        if is_missing(MARIADBD) {
            return None;
        }
        let folder = Folder::new("mariadb");
        let data = folder.path().join("data");
        // It runs as whoever runs the tests.
        let user = Command::new("id").arg("-un").output().expect("a user's name");
        let user = String::from_utf8(user.stdout).expect("a name");
        let with_options = |program: &str, data: &Path| {
            let mut command = Command::new(program);
            command.arg("--no-defaults").arg(format!("--user={}", user.trim()));
            command.arg(format!("--datadir={}", data.display()));
            // Its own, for two at once would have files of the same name.
            command.env("TMPDIR", folder.path());
            command
        };
        let installed = with_options("mariadb-install-db", &data)
            .args(["--auth-root-authentication-method=normal", "--skip-test-db"])
            .stdout(Stdio::null())
            .status()
            .expect("mariadb-install-db");
        assert!(installed.success(), "mariadb-install-db: {installed}");

        let address = free_address();
        let mut command = with_options(MARIADBD, &data);
        command
            .args(["--bind-address=127.0.0.1", &format!("--port={}", address.port())])
            .args(["--skip-grant-tables", "--skip-networking=0", "--max-connections=200"])
            .arg(format!("--socket={}", folder.path().join(SOCKET).display()));
        Some(Self::start(command, folder, address, true))
    }

    /// Starts `openssl s_server`, which answers each request over TLS with a page about it; nothing,
    /// and a word on standard output, where it is not installed.
    ///
    /// # Panics
    ///
    /// If it does not come up.
    pub fn openssl(certificate: &Path, key: &Path) -> Option<Self> {
        if is_missing("openssl") {
            return None;
        }
        let address = free_address();
        let mut command = Command::new("openssl");
        command
            .args(["s_server", "-www", "-accept", &address.to_string(), "-cert"])
            .arg(certificate)
            .arg("-key")
            .arg(key);
        Some(Self::start(command, Folder::new("openssl"), address, false))
    }

    /// Its Unix socket, if it is one of those that have one.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join(SOCKET)
    }

    fn start(mut command: Command, folder: Folder, address: SocketAddr, has_socket: bool) -> Self {
        let log = folder.path().join("log");
        let file = fs::File::create(&log).expect("a file for the server's words");
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a descriptor"))
            .stderr(file)
            .spawn()
            .expect("a server");
        let mut server = Self { child, folder, has_socket, address };
        let begin = Instant::now();
        while let Err(error) = server.is_up() {
            let is_gone = server.child.try_wait().expect("the state of a child").is_some();
            if is_gone || begin.elapsed() > SOON {
                let words = fs::read_to_string(&log).unwrap_or_default();
                panic!("{command:?} does not answer: {error}\n{words}");
            }
            thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// Whether it answers in all places.
    fn is_up(&self) -> io::Result<()> {
        TcpStream::connect(self.address)?;
        if self.has_socket {
            UnixStream::connect(self.socket())?;
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether there is no such program, which ends the test that says so.
pub fn is_missing(program: impl AsRef<OsStr>) -> bool {
    let program = program.as_ref();
    let tried = Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .stdin(Stdio::null())
        .spawn();
    match tried {
        Ok(mut child) => {
            let _ = child.wait();
            false
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            println!("skipped: {} is not installed", program.display());
            true
        }
        Err(error) => panic!("{}: {error}", program.display()),
    }
}

/// An address of the loopback where nobody listens. The kernel gives such ports to nobody by itself,
/// each process begins at another one, and none is handed out twice.
fn free_address() -> SocketAddr {
    static HANDED_OUT: AtomicUsize = AtomicUsize::new(0);
    const FIRST: usize = 20_000;
    const N_PORTS: usize = 12_000;
    let begin = process::id() as usize * 16;
    loop {
        let nth = HANDED_OUT.fetch_add(1, Relaxed);
        assert!(nth < N_PORTS, "no port is free");
        let port = FIRST + (begin + nth) % N_PORTS;
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port as u16)) {
            return listener.local_addr().expect("an address");
        }
    }
}
