//! The client's socket as hyper sees it.
//!
//! hyper answers an unreadable head on its own, without asking the service. Such an answer is
//! recognised where bytes leave with no response in hand; it gets the fields that every answer
//! of the agent carries, and is counted.

use std::{
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::sleep,
};

use super::{
    super::transport::Transport,
    Client,
    deadline::{Deadline, Quiet},
    own_answer,
};

/// The socket.
pub(in crate::proxy) struct Socket {
    client: Rc<Client>,
    deadline: Deadline,
    /// What is left of an answer that was put in hyper's answer's place.
    own: Bytes,
}

impl Socket {
    pub(in crate::proxy) fn new(client: Rc<Client>) -> Self {
        Self {
            client,
            deadline: Deadline::default(),
            own: Bytes::new(),
        }
    }

    /// Takes what hyper wants to send if it is an answer of hyper's own.
    fn replace_own_answer(&mut self, bytes: &[u8]) -> bool {
        match own_answer::in_place_of(bytes, &self.client) {
            Some(own) => {
                self.own = own;
                true
            }
            None => false,
        }
    }

    /// Sends what must leave before anything that hyper writes now.
    fn poll_before(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.own.is_empty() {
            let sent = ready!(self.client.poll_write(cx, &self.own))?;
            drop(self.own.split_to(sent));
        }
        if self.client.interims.borrow().sent > 0 {
            return self.client.poll_interims(cx);
        }
        Poll::Ready(Ok(()))
    }
}

impl Client {
    pub(in crate::proxy) fn with<T>(
        &self,
        act: impl FnOnce(Pin<&mut Transport>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match self.stream.borrow_mut().as_mut() {
            Some(stream) => act(Pin::new(stream)),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    /// Writes for hyper; an error when the client has taken nothing for `proxy.client_idle`.
    pub(in crate::proxy) fn send(
        &self,
        cx: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut Transport>, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let outcome = self.with(|stream| write(stream, cx));
        let mut stall = self.stall.borrow_mut();
        if outcome.is_ready() {
            *stall = None;
            return outcome;
        }
        let patience = self.thread.settings.borrow().client_idle;
        let timer = stall.get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(timer.as_mut().poll(cx));
        self.count_idle();
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match ready!(self.send(cx, |stream, cx| stream.poll_write(cx, bytes)))? {
            0 => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            sent => Poll::Ready(Ok(sent)),
        }
    }

    /// Sends interim answers; begins only when hyper has nothing that must leave before them.
    fn poll_interims(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut interims = self.interims.borrow_mut();
        while interims.sent < interims.bytes.len() {
            let sent = ready!(self.poll_write(cx, &interims.bytes[interims.sent..]))?;
            interims.sent += sent;
        }
        interims.bytes.clear();
        interims.sent = 0;
        interims
            .waits
            .take()
            .into_iter()
            .for_each(std::task::Waker::wake);
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = into.filled().len();
        let outcome = this.client.poll_read(cx, into);
        if outcome.is_pending() {
            let quiet = ready!(this.deadline.poll(cx, &this.client));
            this.client.is_late.set(quiet == Quiet::Late);
            this.client.is_parked.set(quiet == Quiet::Parked);
            if quiet == Quiet::Left {
                this.client.count_idle();
            }
            // the end, as far as hyper is concerned
            return Poll::Ready(Ok(()));
        }
        let came = &into.filled()[before..];
        let received = &this.client.received;
        received.set(received.get() + came.len() as u64);
        let followed = this.client.framing.borrow_mut().read(came);
        match followed {
            Ok(()) => outcome,
            Err(_) => Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_before(cx))?;
        if this.replace_own_answer(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        this.client
            .send(cx, |stream, cx| stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_before(cx))?;
        // hyper's own answer is a head alone, so one slice
        if let [only] = slices
            && this.replace_own_answer(only)
        {
            return Poll::Ready(Ok(only.len()));
        }
        this.client
            .send(cx, |stream, cx| stream.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_before(cx))?;
        // hyper flushes the socket only when its own buffer is empty
        this.client.unsent.set(false);
        ready!(this.client.poll_interims(cx))?;
        this.deadline.rest(cx, &this.client);
        this.client.with(|stream| stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // the connection is closed by who began it, or goes on as a tunnel
        self.poll_flush(cx)
    }
}
