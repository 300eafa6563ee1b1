//! A client of Redis over any stream: as much of its protocol as the examples need.

use std::io::{self, BufRead, BufReader, Read, Write};

/// A connection to a Redis server.
pub(crate) struct Client<S> {
    stream: BufReader<S>,
}

/// What the server says; an error that it says is an error of the call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Status(String),
    Number(i64),
    /// A string, or none.
    Bulk(Option<String>),
    /// A list, or none: a wait that took too long, say.
    List(Option<Vec<Reply>>),
}

impl<S: Read + Write> Client<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream: BufReader::new(stream) }
    }

    /// Sends a command and waits for the answer.
    pub(crate) fn ask(&mut self, command: &[&str]) -> io::Result<Reply> {
        let mut request = format!("*{}\r\n", command.len());
        for word in command {
            request += &format!("${}\r\n{word}\r\n", word.len());
        }
        self.stream.get_mut().write_all(request.as_bytes())?;
        self.reply()
    }

    fn reply(&mut self) -> io::Result<Reply> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let Some(line) = line.strip_suffix("\r\n") else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        let (kind, rest) = line.split_at(line.len().min(1));
        match kind {
            "+" => Ok(Reply::Status(rest.to_owned())),
            "-" => Err(io::Error::other(rest)),
            ":" => Ok(Reply::Number(number(rest)?)),
            "$" => Ok(Reply::Bulk(match number(rest)? {
                ..0 => None,
                len => Some(self.bulk(usize::try_from(len).map_err(io::Error::other)?)?),
            })),
            "*" => Ok(Reply::List(match number(rest)? {
                ..0 => None,
                n => Some((0..n).map(|_| self.reply()).collect::<io::Result<_>>()?),
            })),
            _ => Err(invalid(line)),
        }
    }

    /// A string of `len` bytes and the end of its line.
    fn bulk(&mut self, len: usize) -> io::Result<String> {
        let mut bytes = vec![0; len + 2];
        self.stream.read_exact(&mut bytes)?;
        bytes.truncate(len);
        String::from_utf8(bytes).map_err(io::Error::other)
    }
}

fn number(digits: &str) -> io::Result<i64> {
    digits.parse().map_err(|_| invalid(digits))
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not Redis's protocol: `{what}`"))
}
