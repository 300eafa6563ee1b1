//! Echo and HTTP: one task accepts, each client has its own.

use std::future::Future;
use std::io;

use kit::Args;
use kit::http::Exchange;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket, UnixListener};
use tokio::time::timeout;

use crate::Executor;

pub(crate) fn echo_tcp(executor: &Executor, args: &Args) {
    let buffer = args.buffer();
    executor.run(accept_tcp(move |stream| echo(stream, buffer))).expect("a healthy listener");
}

pub(crate) fn echo_with_timeouts(executor: &Executor, args: &Args) {
    let buffer = args.buffer();
    let client = move |stream| echo_within(stream, buffer);
    executor.run(accept_tcp(client)).expect("a healthy listener");
}

pub(crate) fn http(executor: &Executor, args: &Args) {
    let buffer = args.buffer();
    executor.run(accept_tcp(move |stream| answer(stream, buffer))).expect("a healthy listener");
}

/// Accepts for ever and gives each client a task.
async fn accept_tcp<F>(client: impl Fn(TcpStream) -> F) -> io::Result<()>
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    kit::ready(listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(client(stream));
    }
}

pub(crate) fn echo_unix(executor: &Executor, args: &Args) {
    let (path, buffer) = (args.path().to_owned(), args.buffer());
    let server = async move {
        let listener = UnixListener::bind(&path)?;
        kit::ready(path);
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(echo(stream, buffer));
        }
    };
    let ended: io::Result<()> = executor.run(server);
    ended.expect("a healthy listener");
}

async fn echo(mut stream: impl AsyncRead + AsyncWrite + Unpin, buffer: usize) -> io::Result<()> {
    let mut bytes = vec![0; buffer];
    loop {
        match stream.read(&mut bytes).await? {
            0 => return Ok(()),
            n => stream.write_all(&bytes[..n]).await?,
        }
    }
}

/// Each read, and each write, within the timeout.
async fn echo_within(mut stream: TcpStream, buffer: usize) -> io::Result<()> {
    let mut bytes = vec![0; buffer];
    loop {
        match timeout(kit::TIMEOUT, stream.read(&mut bytes)).await?? {
            0 => return Ok(()),
            n => timeout(kit::TIMEOUT, stream.write_all(&bytes[..n])).await??,
        }
    }
}

async fn answer(mut stream: TcpStream, buffer: usize) -> io::Result<()> {
    let mut exchange = Exchange::new(buffer);
    loop {
        match stream.read(exchange.space()).await? {
            0 => return Ok(()),
            n => stream.write_all(exchange.answer(n).map_err(io::Error::other)?).await?,
        }
    }
}

pub(crate) fn echo_udp(executor: &Executor, args: &Args) {
    let buffer = args.buffer();
    let server = async move {
        let socket = UdpSocket::bind("127.0.0.1:0").await?;
        kit::ready(socket.local_addr()?);
        let mut bytes = vec![0; buffer];
        loop {
            let (n, from) = socket.recv_from(&mut bytes).await?;
            socket.send_to(&bytes[..n], from).await?;
        }
    };
    let ended: io::Result<()> = executor.run(server);
    ended.expect("a healthy socket");
}
