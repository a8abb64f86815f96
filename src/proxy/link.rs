//! The upstream's socket as hyper sees it.
//!
//! Counts what comes in: hyper's error is the same for no byte of an answer and for half a head,
//! and only the first of them may be followed by a second try. The first bytes also tell which
//! version of HTTP the upstream speaks. Says whether something waits to be read that hyper has not
//! seen yet: an end, or an answer that nobody asked for.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    io,
    mem::MaybeUninit,
    pin::Pin,
    rc::{Rc, Weak},
    task::{Context, Poll, Waker},
    time::Instant,
};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};

use super::transport::Transport;

/// The socket.
pub(super) struct Link {
    stream: Rc<RefCell<Transport>>,
    seen: Rc<Seen>,
}

/// What a connection's socket says, to who does not own it.
pub(super) struct Received {
    seen: Rc<Seen>,
    stream: Weak<RefCell<Transport>>,
}

/// A frame's header: length, type, flags, stream (RFC 9113, section 4.1).
const HEADER: usize = 9;
/// The type of the frame that an upstream of HTTP/2 begins with (RFC 9113, section 3.4).
const SETTINGS: u8 = 4;

struct Seen {
    bytes: Cell<u64>,
    /// When something came last.
    heard: Cell<Instant>,
    /// The first bytes, as far as they are there.
    first: Cell<[u8; HEADER]>,
    /// There will be no more.
    ended: Cell<bool>,
    waits: RefCell<Option<Waker>>,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            bytes: Cell::default(),
            heard: Cell::new(Instant::now()),
            first: Cell::default(),
            ended: Cell::default(),
            waits: RefCell::default(),
        }
    }
}

impl Received {
    /// When something came last; at first, when the connection was made.
    pub(super) fn heard(&self) -> Instant {
        self.seen.heard.get()
    }

    /// Bytes that came from the upstream.
    pub(super) fn bytes(&self) -> u64 {
        self.seen.bytes.get()
    }

    /// Whether the upstream has sent nothing more, not even the end.
    ///
    /// hyper notices both when its task runs next; a request sent before that is lost, or gets
    /// what was there before it for its answer. Costs a system call only where the last look at all
    /// sockets found something on this one: what came after that look, within the turn of the thread
    /// that it began, is not seen.
    pub(super) fn is_silent(&self) -> bool {
        let Some(stream) = self.stream.upgrade() else {
            return false;
        };
        let stream = stream.borrow();
        let tcp = stream.tcp();
        let peeked = tcp.try_io(Interest::READABLE, || {
            SockRef::from(tcp).peek(&mut [MaybeUninit::uninit()])
        });
        peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Waits for the first bytes: whether they are of HTTP/2. Where they are not, they are an answer
    /// of HTTP/1 to what its sender could not read.
    pub(super) async fn speaks_http2(&self) -> bool {
        poll_fn(|cx| {
            if self.seen.is_settled() {
                return Poll::Ready(self.seen.is_http2());
            }
            *self.seen.waits.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        })
        .await
    }
}

impl Seen {
    fn came(&self, bytes: &[u8]) {
        self.heard.set(Instant::now());
        let before = self.bytes.get();
        self.bytes.set(before + bytes.len() as u64);
        if before >= HEADER as u64 || self.ended.get() {
            return;
        }
        if bytes.is_empty() {
            self.ended.set(true);
        }
        let mut first = self.first.get();
        let begin = usize::try_from(before).unwrap_or(HEADER);
        for (slot, byte) in first[begin..].iter_mut().zip(bytes) {
            *slot = *byte;
        }
        self.first.set(first);
        if self.is_settled() {
            let waits = self.waits.take();
            waits.into_iter().for_each(Waker::wake);
        }
    }

    fn is_settled(&self) -> bool {
        self.bytes.get() >= HEADER as u64 || self.ended.get()
    }

    /// A short frame of the connection itself, which no text of HTTP/1 is.
    fn is_http2(&self) -> bool {
        let is_whole = self.bytes.get() >= HEADER as u64;
        is_whole && matches!(self.first.get(), [0, 0, _, SETTINGS, 0, 0, 0, 0, 0])
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.seen.came(b"");
    }
}

impl Link {
    pub(super) fn new(stream: Transport) -> (Self, Received) {
        let stream = Rc::new(RefCell::new(stream));
        let seen = Rc::<Seen>::default();
        let received = Received {
            seen: Rc::clone(&seen),
            stream: Rc::downgrade(&stream),
        };
        (Self { stream, seen }, received)
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
        let outcome = Pin::new(&mut *this.stream.borrow_mut()).poll_read(cx, into);
        if let Poll::Ready(Ok(())) = &outcome {
            this.seen.came(&into.filled()[before..]);
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
        Pin::new(&mut *self.stream.borrow_mut()).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.stream.borrow_mut()).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.borrow().is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream.borrow_mut()).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.stream.borrow_mut()).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::AsyncWriteExt,
        net::{TcpListener, TcpStream},
        task::yield_now,
    };

    use super::*;

    fn seen(pieces: &[&[u8]]) -> (bool, bool) {
        let seen = Seen::default();
        for piece in pieces {
            seen.came(piece);
        }
        (seen.is_settled(), seen.is_http2())
    }

    #[test]
    fn a_frame_is_told_from_an_answer_however_the_first_bytes_are_cut() {
        let settings = b"\0\0\x12\x04\0\0\0\0\0\0\x03";
        for cut in 1..settings.len() {
            let (head, rest) = settings.split_at(cut);
            assert_eq!(seen(&[head, rest]), (true, true), "{cut}");
        }
        assert_eq!(seen(&[b"HTT\x04/1.1 400"]), (true, false));
        assert_eq!(seen(&[b"\0\0\x12\x04\0\0\0\0\x01"]), (true, false));
        assert_eq!(seen(&[b"\0\0\x12\x04"]), (false, false));
        assert_eq!(seen(&[b"\0\0\x12\x04", b""]), (true, false));
    }

    async fn pair() -> (Link, Received, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (link, received) = Link::new(Transport::Plain(near));
        (link, received, listener.accept().await.unwrap().0)
    }

    /// Ends when the kernel has delivered what the other end did; nothing here reads it.
    async fn until_heard(received: &Received) {
        while received.is_silent() {
            yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_connection_is_silent_until_something_comes_that_nobody_has_read() {
        let (link, received, mut far) = pair().await;
        assert!(received.is_silent());
        far.write_all(b"HTTP/1.1 200 OK").await.unwrap();
        until_heard(&received).await;
        assert_eq!(received.bytes(), 0);
        drop(link);
        assert!(!received.is_silent(), "what is gone is not usable");
    }

    #[tokio::test]
    async fn an_end_and_a_reset_are_heard_before_they_are_read() {
        let (_link, received, far) = pair().await;
        drop(far);
        until_heard(&received).await;
        let (_link, received, far) = pair().await;
        SockRef::from(&far)
            .set_linger(Some(std::time::Duration::ZERO))
            .unwrap();
        drop(far);
        until_heard(&received).await;
    }
}
