//! A new connection to the upstream.

use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use hyper::client::conn::{http1, http2};
use hyper_util::rt::TokioIo;
use socket2::{SockRef, TcpKeepalive};
use tokio::{net::TcpStream, sync::oneshot, time::timeout};

use super::{multiplexed::Sender, pool::Connection};
use crate::{
    proxy::{
        connection::Local,
        failure::Failure,
        link::{Link, Received},
        outgoing::Outgoing,
        thread::Thread,
        transport::Transport,
    },
    tls::{self, Alpn},
};

/// Bytes of one answer over HTTP/2 that the upstream may send before the client takes them.
const STREAM_WINDOW: u32 = 256 << 10;
/// Of all answers on a connection: room for every stream, so that clients that read slowly do not
/// hold up the others.
const CONNECTION_WINDOW: u32 = STREAM_WINDOW * 128;
/// Bytes of one request that wait for the upstream to make room.
const SEND_BUFFER: usize = 64 << 10;
/// Largest head of an answer over HTTP/2.
const ANSWER_HEAD: u32 = 256 << 10;

/// Silence after which an upstream that may be gone is asked for a sign of life, and how often.
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_RETRIES: u32 = 3;

/// What is left of a connection that is no longer HTTP, once it is not.
pub(in crate::proxy) type Leftover = oneshot::Receiver<http1::Parts<TokioIo<Link>>>;

/// A socket to the upstream.
pub(super) struct Dialed {
    pub(super) link: Link,
    pub(super) received: Received,
    /// Whether HTTP/2 was agreed upon; `None`: nothing was said of it.
    pub(super) agreed: Option<bool>,
    pub(super) peer: SocketAddr,
    pub(super) generation: u32,
}

/// A new connection of HTTP/1, driven by a task of this thread.
pub(in crate::proxy) async fn http1(
    thread: &Thread,
    patience: Duration,
) -> Result<Connection, Failure> {
    let (connection, driver) = open_http1(thread, patience).await?;
    tokio::task::spawn_local(async move {
        // whoever waits for an answer gets the error; an idle connection has nobody to tell
        let _ = driver.await;
    });
    Ok(connection)
}

/// A new connection that may stop being HTTP: then its socket is handed over.
pub(in crate::proxy) async fn http1_to_switch(
    thread: &Thread,
    patience: Duration,
) -> Result<(Connection, Leftover), Failure> {
    let (connection, driver) = open_http1(thread, patience).await?;
    let (hand_over, leftover) = oneshot::channel();
    tokio::task::spawn_local(async move {
        if let Ok(parts) = driver.without_shutdown().await {
            // nobody waits for it when the upstream did not switch
            let _ = hand_over.send(parts);
        }
    });
    Ok((connection, leftover))
}

type Driver = http1::Connection<TokioIo<Link>, Outgoing>;

async fn open_http1(thread: &Thread, patience: Duration) -> Result<(Connection, Driver), Failure> {
    let dialed = dial(thread, patience, Alpn::Http1).await?;
    let (sender, driver) = http1::Builder::new()
        .preserve_header_case(thread.preserve_header_case)
        .handshake(TokioIo::new(dialed.link))
        .await
        .map_err(|e| Failure::from(&e))?;
    let connection = Connection {
        sender,
        received: dialed.received,
        peer: dialed.peer,
        generation: dialed.generation,
    };
    Ok((connection, driver))
}

/// A new connection of HTTP/2, driven by a task of this thread; `None`: the upstream does not
/// speak it. `is_known`: it does; otherwise its first bytes are waited for, which say so.
pub(super) async fn http2(
    thread: &Thread,
    patience: Duration,
    is_known: bool,
) -> Result<Option<(Sender, SocketAddr, u32)>, Failure> {
    let begun = Instant::now();
    let alpn = if is_known { Alpn::Http2 } else { Alpn::Either };
    let dialed = dial(thread, patience, alpn).await?;
    if dialed.agreed == Some(false) {
        return Ok(None);
    }
    let is_known = is_known || dialed.agreed.is_some();
    let (sender, driver) = http2::Builder::new(Local)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_header_list_size(ANSWER_HEAD)
        .handshake(TokioIo::new(dialed.link))
        .await
        .map_err(|e| Failure::from(&e))?;
    tokio::task::spawn_local(async move {
        // whoever waits for an answer gets the error; an idle connection has nobody to tell
        let _ = driver.await;
    });
    if !is_known {
        let left = patience.saturating_sub(begun.elapsed());
        let speaks = timeout(left, dialed.received.speaks_http2()).await;
        if !speaks.unwrap_or(false) {
            return Ok(None);
        }
    }
    Ok(Some((sender, dialed.peer, dialed.generation)))
}

async fn dial(thread: &Thread, patience: Duration, alpn: Alpn) -> Result<Dialed, Failure> {
    let dialed = try_dial(thread, patience, alpn).await;
    if dialed.is_err() {
        thread.spoken.forget();
    }
    dialed
}

async fn try_dial(thread: &Thread, patience: Duration, alpn: Alpn) -> Result<Dialed, Failure> {
    let upstream = thread
        .upstream
        .borrow()
        .clone()
        .ok_or(Failure::NoUpstream)?;
    let began = Instant::now();
    // where the resolver hangs, some time is left for an address that was known before
    let addresses = thread.names.resolve(&upstream, patience / 2).await?;
    let left = patience.saturating_sub(began.elapsed());
    let stream = timeout(left, connect(&addresses))
        .await
        .map_err(|_| Failure::ConnectTimeout)?;
    let (stream, peer) = stream.map_err(|e| Failure::from(&e))?;
    prepare(&stream);
    let left = patience.saturating_sub(began.elapsed());
    let (transport, agreed) = if upstream.tls {
        timeout(left, secure(thread, stream, alpn))
            .await
            .map_err(|_| Failure::ConnectTimeout)??
    } else {
        (Transport::Plain(stream), None)
    };
    let received = Received::default();
    Ok(Dialed {
        link: Link::new(transport, received.clone()),
        received,
        agreed,
        peer,
        generation: thread.names.generation(),
    })
}

/// The first address that accepts; why the last did not, if none does.
async fn connect(addresses: &[SocketAddr]) -> io::Result<(TcpStream, SocketAddr)> {
    let mut outcome = Err(io::ErrorKind::NotFound.into());
    for &address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok((stream, address)),
            Err(error) => outcome = Err(error),
        }
    }
    outcome
}

async fn secure(
    thread: &Thread,
    stream: TcpStream,
    alpn: Alpn,
) -> Result<(Transport, Option<bool>), Failure> {
    let tls = thread.settings.borrow().upstream_tls.clone();
    let tls = tls.ok_or(Failure::Tls)?;
    let stream = tls.connect(stream, alpn).await.map_err(|_| Failure::Tls)?;
    let agreed = tls::speaks_http2(stream.get_ref().1);
    Ok((Transport::Dialed(Box::new(stream)), Some(agreed)))
}

fn prepare(stream: &TcpStream) {
    // small requests must not wait for an acknowledgement; without it they are only slower
    let _ = stream.set_nodelay(true);
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_RETRIES);
    // without it, an upstream that vanished is only found by `proxy.response_timeout`
    let _ = SockRef::from(stream).set_tcp_keepalive(&keepalive);
}
