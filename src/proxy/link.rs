//! The upstream's socket as hyper sees it.
//!
//! Counts what comes in: hyper's error is the same for no byte of an answer and for half a head,
//! and only the first of them may be followed by a second try.

use std::{
    cell::Cell,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// The socket.
pub(super) struct Link {
    stream: TcpStream,
    received: Received,
}

/// Bytes that came from the upstream on one connection.
#[derive(Clone, Default)]
pub(super) struct Received(Rc<Cell<u64>>);

impl Received {
    pub(super) fn bytes(&self) -> u64 {
        self.0.get()
    }
}

impl Link {
    pub(super) fn new(stream: TcpStream, received: Received) -> Self {
        Self { stream, received }
    }

    pub(super) fn into_stream(self) -> TcpStream {
        self.stream
    }
}

impl AsyncRead for Link {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = into.filled().len();
        let outcome = Pin::new(&mut this.stream).poll_read(cx, into);
        let came = into.filled().len() - before;
        this.received.0.set(this.received.0.get() + came as u64);
        outcome
    }
}

impl AsyncWrite for Link {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
