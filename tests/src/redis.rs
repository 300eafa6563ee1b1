//! A Redis server of a test's own: on a free port and a socket in a folder of its own, without
//! anything that outlasts it.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, io, process, thread};

/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Servers to try: another process may be faster to take the port that was free.
const ATTEMPTS: u32 = 5;

/// A running server. It is ended, by its process id, when this is dropped.
#[derive(Debug)]
pub struct Redis {
    child: Child,
    folder: PathBuf,
    port: u16,
}

impl Redis {
    /// Starts a server and waits until it answers. `None`, and a word on standard output, where
    /// there is no `redis-server`.
    ///
    /// # Panics
    ///
    /// If it does not answer.
    pub fn start() -> Option<Redis> {
        for _ in 0..ATTEMPTS {
            let mut redis = match Redis::try_start() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    println!("skipped: no `redis-server` here (`ci/install.sh` installs it)");
                    return None;
                }
                redis => redis.expect("a Redis server"),
            };
            if redis.answers() {
                return Some(redis);
            }
        }
        panic!("no Redis server out of {ATTEMPTS} answers");
    }

    fn try_start() -> io::Result<Redis> {
        static N_STARTED: AtomicU32 = AtomicU32::new(0);
        let n = N_STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("redis-{}-{n}", process::id()));
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        fs::create_dir(&folder)?;
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "-::1"])
            .args(["--unixsocket", "socket", "--save", "", "--appendonly", "no"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .current_dir(&folder)
            .spawn();
        match child {
            Ok(child) => Ok(Redis { child, folder, port }),
            Err(error) => {
                fs::remove_dir(&folder)?;
                Err(error)
            }
        }
    }

    /// Waits until the server answers; `false` if it ends instead.
    fn answers(&mut self) -> bool {
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            if self.child.try_wait().expect("the status of a child").is_some() {
                return false;
            }
            if let Ok(mut stream) = UnixStream::connect(self.path()) {
                stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
                let mut answer = [0; 7];
                let asked = stream.write_all(b"PING\r\n");
                if asked.and_then(|()| stream.read_exact(&mut answer)).is_ok() {
                    return answer == *b"+PONG\r\n";
                }
            }
            thread::sleep(Duration::from_millis(5));
        }
        panic!("the Redis server does not answer");
    }

    /// The path of its Unix socket.
    pub fn path(&self) -> PathBuf {
        self.folder.join("socket")
    }

    /// Its port on 127.0.0.1, and on `::1` where there is IPv6.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It may have ended by itself; the folder is a temporary one.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
