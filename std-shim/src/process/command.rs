//! How to start a child.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::Path;

use super::{Child, CommandArgs, CommandEnvs, ExitStatus, Output, Stdio};
use crate::bridge;
use crate::bridge::calls::child::STARTS;

/// Describes a child process: its program, arguments, environment, directory and standard streams.
///
/// [`spawn`](Self::spawn) starts it, [`status`](Self::status) and [`output`](Self::output) wait for
/// its end as well; a description may be used again and again.
///
/// This corresponds to [`std::process::Command`].
///
/// **Differences**: of one that comes from std, [`output`](Self::output) holds an OS thread until the child
/// ends.
///
/// # Examples
///
/// ```
/// use std_shim::process::Command;
///
/// let shout = Command::new("sh").args(["-c", "echo $WHAT; exit 3"]).env("WHAT", "ho").output()?;
/// assert_eq!(shout.stdout, b"ho\n");
/// assert_eq!(shout.status.code(), Some(3));
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Command {
    pub(crate) plain: ::std::process::Command,
    /// Which of the three streams the program has chosen; others are what the call's default is.
    /// `None`: it comes from std, which alone knows.
    chosen: Option<[bool; 3]>,
    /// The program has code of its own run in the child, before that executes.
    pub(crate) has_code: bool,
}

impl Command {
    /// Describes a child that runs `program`, found by `PATH`, without arguments.
    ///
    /// This corresponds to [`std::process::Command::new`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::process::Command;
    ///
    /// let output = Command::new("echo").arg("hello").output()?;
    /// assert_eq!(output.stdout, b"hello\n");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn new<S: AsRef<OsStr>>(program: S) -> Command {
        Command {
            plain: ::std::process::Command::new(program),
            chosen: Some([false; 3]),
            has_code: false,
        }
    }

    /// Adds an argument.
    ///
    /// This corresponds to [`std::process::Command::arg`].
    pub fn arg<S: AsRef<OsStr>>(&mut self, arg: S) -> &mut Command {
        self.with(|plain| plain.arg(arg))
    }

    /// Adds arguments.
    ///
    /// This corresponds to [`std::process::Command::args`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::process::Command;
    ///
    /// let output = Command::new("echo").args(["hello", "world"]).output()?;
    /// assert_eq!(output.stdout, b"hello world\n");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn args<I, S>(&mut self, args: I) -> &mut Command
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        self.with(|plain| plain.args(args))
    }

    /// Sets a variable of the child's environment.
    ///
    /// This corresponds to [`std::process::Command::env`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::process::Command;
    ///
    /// let output = Command::new("sh").args(["-c", "echo $WHO"]).env("WHO", "world").output()?;
    /// assert_eq!(output.stdout, b"world\n");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn env<K, V>(&mut self, key: K, val: V) -> &mut Command
    where
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        self.with(|plain| plain.env(key, val))
    }

    /// Sets variables of the child's environment.
    ///
    /// This corresponds to [`std::process::Command::envs`].
    pub fn envs<I, K, V>(&mut self, vars: I) -> &mut Command
    where
        I: IntoIterator<Item = (K, V)>,
        K: AsRef<OsStr>,
        V: AsRef<OsStr>,
    {
        self.with(|plain| plain.envs(vars))
    }

    /// Takes a variable out of the child's environment, be it set or inherited.
    ///
    /// This corresponds to [`std::process::Command::env_remove`].
    pub fn env_remove<K: AsRef<OsStr>>(&mut self, key: K) -> &mut Command {
        self.with(|plain| plain.env_remove(key))
    }

    /// Empties the child's environment; what is set later is in it again.
    ///
    /// This corresponds to [`std::process::Command::env_clear`].
    pub fn env_clear(&mut self) -> &mut Command {
        self.with(::std::process::Command::env_clear)
    }

    /// Sets the child's working directory.
    ///
    /// This corresponds to [`std::process::Command::current_dir`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::process::Command;
    ///
    /// let output = Command::new("pwd").current_dir("/").output()?;
    /// assert_eq!(output.stdout, b"/\n");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn current_dir<P: AsRef<Path>>(&mut self, dir: P) -> &mut Command {
        self.with(|plain| plain.current_dir(dir))
    }

    /// Sets the child's standard input. By default that is this process's own; with
    /// [`output`](Self::output) it is empty.
    ///
    /// This corresponds to [`std::process::Command::stdin`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::io::Write;
    /// use std_shim::process::{Command, Stdio};
    ///
    /// let mut cat = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    /// let mut stdin = cat.stdin.take().expect("it is piped");
    /// stdin.write_all(b"hello")?;
    /// // The child's input ends.
    /// drop(stdin);
    /// assert_eq!(cat.wait_with_output()?.stdout, b"hello");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn stdin<T: Into<Stdio>>(&mut self, cfg: T) -> &mut Command {
        self.choose(0, |plain| plain.stdin(cfg.into()))
    }

    /// Sets the child's standard output. By default that is this process's own; with
    /// [`output`](Self::output) it is a pipe.
    ///
    /// This corresponds to [`std::process::Command::stdout`].
    pub fn stdout<T: Into<Stdio>>(&mut self, cfg: T) -> &mut Command {
        self.choose(1, |plain| plain.stdout(cfg.into()))
    }

    /// Sets the child's standard error. By default that is this process's own; with
    /// [`output`](Self::output) it is a pipe.
    ///
    /// This corresponds to [`std::process::Command::stderr`].
    pub fn stderr<T: Into<Stdio>>(&mut self, cfg: T) -> &mut Command {
        self.choose(2, |plain| plain.stderr(cfg.into()))
    }

    /// Starts the child.
    ///
    /// Forking and executing is a blocking section. As many are under way at a time as there are
    /// workers; those that last longer than 20 ms do not count.
    ///
    /// This corresponds to [`std::process::Command::spawn`].
    ///
    /// # Errors
    ///
    /// If the child cannot be made, or the program cannot be executed: `NotFound` if there is none.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::process::Command;
    ///
    /// let mut child = Command::new("true").spawn()?;
    /// assert!(child.wait()?.success());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn spawn(&mut self) -> io::Result<Child> {
        if self.has_code {
            // The child may ask to be traced, or for a signal at the end of its parent. That is an OS
            // thread: this thread has to be one, where it can.
            match bridge::thread::bind() {
                Err(error) if error.kind() != io::ErrorKind::Unsupported => return Err(error),
                _ => {}
            }
        }
        STARTS.blocking(|| self.plain.spawn()).map(Child::fresh)
    }

    /// Starts the child, waits for its end, and returns what it has written.
    ///
    /// Parks the calling green thread; an ordinary thread it blocks.
    ///
    /// This corresponds to [`std::process::Command::output`].
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn).
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::process::Command;
    ///
    /// let output = Command::new("sh").args(["-c", "echo out; echo err >&2; exit 3"]).output()?;
    /// assert_eq!(output.status.code(), Some(3));
    /// assert_eq!((&*output.stdout, &*output.stderr), (&b"out\n"[..], &b"err\n"[..]));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn output(&mut self) -> io::Result<Output> {
        let Some(chosen) = self.chosen else {
            return bridge::blocking(|| self.plain.output());
        };
        self.choose_for_program(chosen, Stdio::null, Stdio::piped);
        let child = self.spawn();
        // What every other call takes by itself.
        self.choose_for_program(chosen, Stdio::inherit, Stdio::inherit);
        child?.wait_with_output()
    }

    /// Starts the child, waits for its end, and returns how it ended.
    ///
    /// Parks the calling green thread; an ordinary thread it blocks.
    ///
    /// This corresponds to [`std::process::Command::status`].
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn).
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::process::Command;
    ///
    /// assert_eq!(Command::new("false").status()?.code(), Some(1));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn status(&mut self) -> io::Result<ExitStatus> {
        self.spawn()?.wait()
    }

    /// Returns the program.
    ///
    /// This corresponds to [`std::process::Command::get_program`].
    #[must_use]
    pub fn get_program(&self) -> &OsStr {
        self.plain.get_program()
    }

    /// Returns the arguments, without the program.
    ///
    /// This corresponds to [`std::process::Command::get_args`].
    pub fn get_args(&self) -> CommandArgs<'_> {
        self.plain.get_args()
    }

    /// Returns the variables that are set, and those that are taken out (without a value).
    ///
    /// This corresponds to [`std::process::Command::get_envs`].
    pub fn get_envs(&self) -> CommandEnvs<'_> {
        self.plain.get_envs()
    }

    /// Returns the working directory, if one is set.
    ///
    /// This corresponds to [`std::process::Command::get_current_dir`].
    #[must_use]
    pub fn get_current_dir(&self) -> Option<&Path> {
        self.plain.get_current_dir()
    }

    /// Adds to std's own description.
    pub(crate) fn with(
        &mut self,
        add: impl FnOnce(&mut ::std::process::Command) -> &mut ::std::process::Command,
    ) -> &mut Command {
        add(&mut self.plain);
        self
    }

    /// Adds to std's own description one of the three streams.
    fn choose(
        &mut self,
        stream: usize,
        add: impl FnOnce(&mut ::std::process::Command) -> &mut ::std::process::Command,
    ) -> &mut Command {
        if let Some(chosen) = &mut self.chosen {
            chosen[stream] = true;
        }
        self.with(add)
    }

    /// Sets the streams that the program has left open.
    fn choose_for_program(
        &mut self,
        [stdin, stdout, stderr]: [bool; 3],
        input: fn() -> Stdio,
        output: fn() -> Stdio,
    ) {
        if !stdin {
            self.plain.stdin(input());
        }
        if !stdout {
            self.plain.stdout(output());
        }
        if !stderr {
            self.plain.stderr(output());
        }
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.plain.fmt(f)
    }
}

/// Beyond std: takes std's type of the same name into the mirror.
///
/// Which streams such a command has been given, std alone knows: [`output`](Command::output) holds
/// an OS thread until the child ends.
impl From<::std::process::Command> for Command {
    fn from(plain: ::std::process::Command) -> Command {
        Command { plain, chosen: None, has_code: false }
    }
}

/// Beyond std: gives std's type of the same name.
impl From<Command> for ::std::process::Command {
    fn from(command: Command) -> Self {
        command.plain
    }
}
