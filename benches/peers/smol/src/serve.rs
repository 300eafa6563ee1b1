//! Echo and HTTP: one task accepts, each client has its own.

use std::future::Future;
use std::io;

use kit::Args;
use kit::http::Exchange;
use smol::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use smol::net::unix::UnixListener;
use smol::net::{TcpListener, TcpStream, UdpSocket};

use crate::{run, spawn};

pub(crate) fn echo_tcp(args: &Args) {
    let buffer = args.buffer();
    run(accept_tcp(move |stream| echo(stream, buffer))).expect("a healthy listener");
}

pub(crate) fn http(args: &Args) {
    let buffer = args.buffer();
    run(accept_tcp(move |stream| answer(stream, buffer))).expect("a healthy listener");
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
        spawn(client(stream)).detach();
    }
}

pub(crate) fn echo_unix(args: &Args) {
    let (path, buffer) = (args.path().to_owned(), args.buffer());
    let server = async move {
        let listener = UnixListener::bind(&path)?;
        kit::ready(path);
        loop {
            let (stream, _) = listener.accept().await?;
            spawn(echo(stream, buffer)).detach();
        }
    };
    let ended: io::Result<()> = run(server);
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

async fn answer(mut stream: TcpStream, buffer: usize) -> io::Result<()> {
    let mut exchange = Exchange::new(buffer);
    loop {
        match stream.read(exchange.space()).await? {
            0 => return Ok(()),
            n => stream.write_all(exchange.answer(n).map_err(io::Error::other)?).await?,
        }
    }
}

pub(crate) fn echo_udp(args: &Args) {
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
    let ended: io::Result<()> = run(server);
    ended.expect("a healthy socket");
}
