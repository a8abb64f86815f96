//! A new connection to the upstream.

use std::{
    cell::RefCell,
    future::poll_fn,
    net::IpAddr,
    pin::Pin,
    rc::{Rc, Weak},
    sync::Arc,
    time::{Duration, Instant},
};

use hyper::client::conn::{http1, http2};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, sync::oneshot, time::timeout};

use super::pool::Connection;
use crate::{
    http,
    panics::CountUnwinding,
    proxy::{
        failure::Failure,
        keepalive,
        link::{Link, Received},
        local::Local,
        outgoing::Outgoing,
        thread::Thread,
        transport::Transport,
        wake::{Bell, Belled},
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

/// What is left of a connection that is no longer HTTP, once it is not.
pub(in crate::proxy) type Leftover = oneshot::Receiver<http1::Parts<TokioIo<Link>>>;

/// A socket to the upstream.
pub(super) struct Dialed {
    pub(super) link: Link,
    pub(super) received: Received,
    /// Whether HTTP/2 was agreed upon; `None`: nothing was said of it.
    pub(super) agreed: Option<bool>,
    pub(super) peer: IpAddr,
    pub(super) generation: u32,
}

/// A new connection of HTTP/1, driven by a task of this thread.
pub(in crate::proxy) async fn http1(
    thread: &Thread,
    patience: Duration,
) -> Result<Connection, Failure> {
    let (connection, driver) = open_http1(thread, patience).await?;
    let driver = Belled::new(driver, Arc::clone(&connection.bell));
    let panics = thread.counts.upstream_panics.clone();
    tokio::task::spawn_local(async move {
        let _count = CountUnwinding(panics);
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
    let panics = thread.counts.upstream_panics.clone();
    tokio::task::spawn_local(async move {
        let _count = CountUnwinding(panics);
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
        bell: Bell::new(),
        peer: dialed.peer,
        generation: dialed.generation,
    };
    Ok((connection, driver))
}

/// Sends requests on a connection of HTTP/2.
pub(super) type Sender = http2::SendRequest<Outgoing>;

/// A connection of HTTP/2.
pub(super) struct Http2 {
    pub(super) sender: Sender,
    pub(super) received: Received,
    pub(super) peer: IpAddr,
    pub(super) generation: u32,
    /// Its task alone keeps it: with it goes what waits to be sent, and says so.
    driver: Weak<RefCell<http2::Connection<TokioIo<Link>, Outgoing, Local>>>,
}

/// What came of trying it.
pub(super) enum Tried {
    Open(Http2),
    /// The upstream answers in HTTP/1.
    Http1,
    /// It said nothing for half the time.
    Silent,
}

impl Http2 {
    /// How many streams the upstream allows at once, as far as it has said so.
    pub(super) fn allowed(&self) -> usize {
        let driver = self.driver.upgrade();
        driver.map_or(0, |driver| driver.borrow().current_max_send_streams())
    }
}

/// A new connection of HTTP/2, driven by a task of this thread. `is_known`: the upstream speaks it;
/// otherwise its first bytes say whether it does.
pub(super) async fn http2(
    thread: &Thread,
    patience: Duration,
    is_known: bool,
) -> Result<Tried, Failure> {
    let begun = Instant::now();
    let alpn = if is_known { Alpn::Http2 } else { Alpn::Either };
    let dialed = dial(thread, patience, alpn).await?;
    if dialed.agreed == Some(false) {
        return Ok(Tried::Http1);
    }
    let (sender, driver) = http2::Builder::new(Local(thread.counts.upstream_panics.clone()))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_header_list_size(ANSWER_HEAD)
        .handshake(TokioIo::new(dialed.link))
        .await
        .map_err(|e| Failure::from(&e))?;
    let driver = Rc::new(RefCell::new(driver));
    let connection = Http2 {
        sender,
        received: dialed.received,
        peer: dialed.peer,
        generation: dialed.generation,
        driver: Rc::downgrade(&driver),
    };
    let panics = thread.counts.upstream_panics.clone();
    tokio::task::spawn_local(async move {
        let _count = CountUnwinding(panics);
        // whoever waits for an answer gets the error; an idle connection has nobody to tell
        let _ = poll_fn(|cx| Pin::new(&mut *driver.borrow_mut()).poll(cx)).await;
    });
    // with them comes how many streams it allows
    let left = patience.saturating_sub(begun.elapsed()) / 2;
    let first = timeout(left, connection.received.speaks_http2()).await;
    let is_known = is_known || dialed.agreed.is_some();
    Ok(match first {
        Ok(false) if !is_known => Tried::Http1,
        Err(_) if !is_known => Tried::Silent,
        Ok(_) | Err(_) => Tried::Open(connection),
    })
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
    let addresses = thread.names.resolve(&upstream.host, patience / 2).await?;
    let left = patience.saturating_sub(began.elapsed());
    let stream = timeout(left, http::first_of(&addresses, upstream.port))
        .await
        .map_err(|_| Failure::ConnectTimeout)?;
    let (stream, peer) = stream.map_err(|e| Failure::from(&e))?;
    // small requests must not wait for an acknowledgement; without it they are only slower
    let _ = stream.set_nodelay(true);
    keepalive::ask(&stream);
    let left = patience.saturating_sub(began.elapsed());
    let (transport, agreed) = if upstream.tls {
        timeout(left, secure(thread, stream, alpn))
            .await
            .map_err(|_| Failure::ConnectTimeout)??
    } else {
        (Transport::Plain(stream), None)
    };
    let (link, received) = Link::new(transport);
    Ok(Dialed {
        link,
        received,
        agreed,
        peer,
        generation: thread.names.generation(),
    })
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
