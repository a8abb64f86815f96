//! A client's connection of HTTP/2: its socket as hyper sees it, and the streams that are open on it.

use std::{
    cell::Cell,
    io,
    net::IpAddr,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

use super::{
    failure::Failure,
    io::{Client, Frames, PREFACE},
};

/// What the streams of one connection share.
pub(super) struct Streams {
    client: Rc<Client>,
    open: Cell<usize>,
    /// All there were.
    begun: Cell<u64>,
}

/// A request on its way, until its answer has ended and its body too.
pub(super) struct Open {
    streams: Rc<Streams>,
    is_answered: Rc<Cell<bool>>,
}

impl Streams {
    pub(super) fn new(client: Rc<Client>) -> Rc<Self> {
        Rc::new(Self {
            client,
            open: Cell::default(),
            begun: Cell::default(),
        })
    }

    /// One more.
    pub(super) fn open(self: &Rc<Self>) -> Open {
        self.begun.set(self.begun.get() + 1);
        self.hold(Rc::default())
    }

    fn hold(self: &Rc<Self>, is_answered: Rc<Cell<bool>>) -> Open {
        self.open.set(self.open.get() + 1);
        Open {
            streams: Rc::clone(self),
            is_answered,
        }
    }

    /// Waits until there was no stream for at least `time`, and at most twice that.
    pub(super) async fn quiet(&self, time: Duration) {
        loop {
            let before = self.begun.get();
            tokio::time::sleep(time).await;
            if self.open.get() == 0 && self.begun.get() == before {
                return;
            }
        }
    }
}

impl Open {
    pub(super) fn address(&self) -> IpAddr {
        self.streams.client.address
    }

    /// The same request, for another of its parts.
    pub(super) fn again(&self) -> Self {
        self.streams.hold(Rc::clone(&self.is_answered))
    }

    /// The head of its answer is on its way.
    pub(super) fn answered(&self) {
        self.is_answered.set(true);
    }

    pub(super) fn is_answered(&self) -> bool {
        self.is_answered.get()
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let open = &self.streams.open;
        open.set(open.get() - 1);
    }
}

/// The socket. hyper keeps the rules of HTTP/2 by itself, but for how long a head may take.
pub(super) struct Wire {
    client: Rc<Client>,
    frames: Frames,
    /// Until when the client must send what it owes, and what it had sent when that began.
    deadline: Option<(Pin<Box<Sleep>>, u64)>,
}

impl Wire {
    pub(super) fn new(client: Rc<Client>) -> Self {
        Self {
            client,
            frames: Frames::behind(PREFACE.len()),
            deadline: None,
        }
    }

    /// Ready when what the client owes took too long.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.frames.owes() {
            self.deadline = None;
            return Poll::Pending;
        }
        let paid = self.frames.paid();
        if !matches!(self.deadline, Some((_, before)) if before == paid) {
            self.deadline = Some((Box::pin(sleep(self.client.head_timeout())), paid));
        }
        if let Some((timer, _)) = &mut self.deadline {
            ready!(timer.as_mut().poll(cx));
        }
        self.client.turn_away(Failure::HeadTimeout);
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = into.filled().len();
        let outcome = this.client.poll_read(cx, into);
        if outcome.is_pending() {
            return this.poll_deadline(cx);
        }
        match this.frames.read(&into.filled()[before..]) {
            Ok(()) => outcome,
            Err(_) => Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.client
            .send(cx, |stream, cx| stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.client
            .send(cx, |stream, cx| stream.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.client.with(|stream| stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // the connection is closed by who began it
        self.poll_flush(cx)
    }
}
