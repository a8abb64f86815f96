//! Connections to the model server: one pool per data thread, last in, first out.

use std::{
    cell::RefCell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    body::{Body, Frame, Incoming, SizeHint},
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::sync::oneshot;

use super::{
    failure::Failure,
    keepalive,
    link::{Link, Received},
    outgoing::Outgoing,
    thread::Thread,
};
use crate::http;

/// One connection to the upstream, usable when ready.
pub(super) struct Connection {
    pub(super) sender: SendRequest<Outgoing>,
    pub(super) received: Received,
}

/// What is left of a connection that is no longer HTTP, once it is not.
pub(super) type Leftover = oneshot::Receiver<http1::Parts<TokioIo<Link>>>;

/// Idle connections, the most recently used last.
pub(super) struct Pool {
    idle: RefCell<Vec<(Connection, Instant)>>,
    max: usize,
}

impl Pool {
    /// Keeps at most `max` idle connections.
    pub(super) fn new(max: usize) -> Self {
        Self {
            idle: RefCell::default(),
            max,
        }
    }

    /// The most recently used connection that can take a request at once.
    pub(super) fn take(&self, idle_limit: Duration) -> Option<Connection> {
        let mut idle = self.idle.borrow_mut();
        let usable = idle.iter().rposition(|(connection, since)| {
            connection.sender.is_ready()
                && since.elapsed() < idle_limit
                && connection.received.is_silent()
        })?;
        Some(idle.remove(usable).0)
    }

    /// Closes what is closed at the other end, or has been idle for too long.
    pub(super) fn prune(&self, idle_limit: Duration) {
        self.idle.borrow_mut().retain(|(connection, since)| {
            !connection.sender.is_closed() && since.elapsed() < idle_limit
        });
    }

    fn give(&self, connection: Connection) {
        let mut idle = self.idle.borrow_mut();
        if !connection.sender.is_closed() && idle.len() < self.max {
            idle.push((connection, Instant::now()));
        }
    }
}

/// A new connection to the upstream, driven by a task of this thread.
pub(super) async fn connect(thread: &Thread, patience: Duration) -> Result<Connection, Failure> {
    let (connection, driver) = open(thread, patience).await?;
    tokio::task::spawn_local(async move {
        // whoever waits for an answer gets the error; an idle connection has nobody to tell
        let _ = driver.await;
    });
    Ok(connection)
}

/// A new connection that may stop being HTTP: then its socket is handed over.
pub(super) async fn connect_to_switch(
    thread: &Thread,
    patience: Duration,
) -> Result<(Connection, Leftover), Failure> {
    let (connection, driver) = open(thread, patience).await?;
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

async fn open(thread: &Thread, patience: Duration) -> Result<(Connection, Driver), Failure> {
    let upstream = thread
        .upstream
        .borrow()
        .clone()
        .ok_or(Failure::NoUpstream)?;
    let dialing = http::connect(&upstream.host, upstream.port);
    let stream = tokio::time::timeout(patience, dialing)
        .await
        .map_err(|_| Failure::ConnectTimeout)?
        .map_err(|e| Failure::from(&e))?;
    // small answers must not wait for an acknowledgement; without it they are only slower
    let _ = stream.set_nodelay(true);
    keepalive::ask(&stream);
    let (link, received) = Link::new(stream);
    let (sender, driver) = http1::Builder::new()
        .preserve_header_case(thread.preserve_header_case)
        .handshake(TokioIo::new(link))
        .await
        .map_err(|e| Failure::from(&e))?;
    Ok((Connection { sender, received }, driver))
}

/// The body of an answer: the upstream's, or one of the agent's own.
pub(super) enum Payload {
    /// As it comes from the upstream, with the connection it comes on.
    Upstream(Incoming, Lease),
    /// Made here.
    Own(Full<Bytes>),
}

/// A connection on loan: back in the pool when the answer it carries has ended.
pub(super) struct Lease {
    thread: Rc<Thread>,
    connection: Option<Connection>,
}

impl Lease {
    pub(super) fn new(thread: &Rc<Thread>, connection: Connection) -> Self {
        Self {
            thread: Rc::clone(thread),
            connection: Some(connection),
        }
    }

    /// A connection that is not used again: it closes when its answer has ended.
    pub(super) fn last(thread: &Rc<Thread>) -> Self {
        Self {
            thread: Rc::clone(thread),
            connection: None,
        }
    }

    fn end(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.thread.pool.give(connection);
        }
    }
}

impl Payload {
    /// The answer's body as it begins; an empty one has ended already.
    pub(super) fn upstream(body: Incoming, mut lease: Lease) -> Self {
        if body.is_end_stream() {
            lease.end();
        }
        Self::Upstream(body, lease)
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Self::Own(body) => Pin::new(body)
                .poll_frame(cx)
                .map_err(|never| match never {}),
            Self::Upstream(body, lease) => {
                let frame = Pin::new(&mut *body).poll_frame(cx);
                if matches!(frame, Poll::Ready(None)) || body.is_end_stream() {
                    lease.end();
                }
                frame
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(body) => body.is_end_stream(),
            Self::Upstream(body, _) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(body) => body.size_hint(),
            Self::Upstream(body, _) => body.size_hint(),
        }
    }
}
