//! The upstream's socket as hyper sees it.
//!
//! Counts what comes in: hyper's error is the same for no byte of an answer and for half a head,
//! and only the first of them may be followed by a second try. The first bytes also tell which
//! version of HTTP the upstream speaks.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::transport::Transport;

/// The socket.
pub(super) struct Link {
    stream: Transport,
    received: Received,
}

/// What came from the upstream on one connection.
#[derive(Clone, Default)]
pub(super) struct Received(Rc<Seen>);

#[derive(Default)]
struct Seen {
    bytes: Cell<u64>,
    /// The fourth byte, or that there will be none.
    fourth: Cell<Fourth>,
    waits: RefCell<Option<Waker>>,
}

#[derive(Clone, Copy, Default)]
enum Fourth {
    #[default]
    NotYet,
    Is(u8),
    Missing,
}

/// Types of frames that an upstream of HTTP/2 begins with: `SETTINGS`, and `GOAWAY` where it was asked
/// in HTTP/1 (RFC 9113, sections 3.4 and 6.8).
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;

impl Received {
    pub(super) fn bytes(&self) -> u64 {
        self.0.bytes.get()
    }

    /// Whether what came first is a frame of HTTP/2.
    pub(super) fn is_http2(&self) -> bool {
        matches!(self.0.fourth.get(), Fourth::Is(SETTINGS | GOAWAY))
    }

    /// Waits for the first bytes: whether they are of HTTP/2.
    ///
    /// Behind the three bytes of a frame's length stands its type. What begins `HTTP` is an answer
    /// of HTTP/1 to what its sender could not read.
    pub(super) async fn speaks_http2(&self) -> bool {
        poll_fn(|cx| match self.0.fourth.get() {
            Fourth::NotYet => {
                *self.0.waits.borrow_mut() = Some(cx.waker().clone());
                Poll::Pending
            }
            Fourth::Is(_) | Fourth::Missing => Poll::Ready(self.is_http2()),
        })
        .await
    }

    fn came(&self, bytes: &[u8]) {
        let before = self.0.bytes.get();
        self.0.bytes.set(before + bytes.len() as u64);
        if before >= 4 {
            return;
        }
        let at = usize::try_from(3 - before.min(3)).unwrap_or_default();
        match bytes.get(at) {
            Some(fourth) => self.settle(Fourth::Is(*fourth)),
            None if bytes.is_empty() => self.settle(Fourth::Missing),
            None => {}
        }
    }

    fn settle(&self, fourth: Fourth) {
        self.0.fourth.set(fourth);
        let waits = self.0.waits.take();
        waits.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if matches!(self.received.0.fourth.get(), Fourth::NotYet) {
            self.received.settle(Fourth::Missing);
        }
    }
}

impl Link {
    pub(super) fn new(stream: Transport, received: Received) -> Self {
        Self { stream, received }
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
        if let Poll::Ready(Ok(())) = &outcome {
            this.received.came(&into.filled()[before..]);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(pieces: &[&[u8]]) -> Fourth {
        let received = Received::default();
        for piece in pieces {
            received.came(piece);
        }
        received.0.fourth.get()
    }

    #[test]
    fn the_fourth_byte_is_found_however_the_first_are_cut() {
        let settings = b"\0\0\x12\x04\0\0\0\0\0";
        for cut in 1..settings.len() {
            let (head, rest) = settings.split_at(cut);
            assert!(matches!(seen(&[head, rest]), Fourth::Is(SETTINGS)), "{cut}");
        }
        assert!(matches!(seen(&[b"HTTP/1.1 400"]), Fourth::Is(b'P')));
        assert!(matches!(seen(&[b"\0\0"]), Fourth::NotYet));
        assert!(matches!(seen(&[b"\0\0", b""]), Fourth::Missing));
    }
}
