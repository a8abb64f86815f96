//! The upstream's socket as hyper sees it.
//!
//! Counts what comes in: hyper's error is the same for no byte of an answer and for half a head,
//! and only the first of them may be followed by a second try. Says whether something waits to be
//! read that hyper has not seen yet: an end, or an answer that nobody asked for.

use std::{
    cell::{Cell, RefCell},
    io,
    mem::MaybeUninit,
    pin::Pin,
    rc::{Rc, Weak},
    task::{Context, Poll},
};

use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// The socket.
pub(super) struct Link {
    stream: Rc<RefCell<TcpStream>>,
    received: Rc<Cell<u64>>,
}

/// What a connection's socket says, to who does not own it.
pub(super) struct Received {
    bytes: Rc<Cell<u64>>,
    stream: Weak<RefCell<TcpStream>>,
}

impl Received {
    /// Bytes that came from the upstream.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.get()
    }

    /// Whether the upstream has sent nothing more, not even the end.
    ///
    /// hyper notices both when its task runs next; a request sent before that is lost, or gets
    /// what was there before it for its answer. One system call, some 0.3 us.
    pub(super) fn is_silent(&self) -> bool {
        let Some(stream) = self.stream.upgrade() else {
            return false;
        };
        let peeked = SockRef::from(&*stream.borrow()).peek(&mut [MaybeUninit::uninit()]);
        peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }
}

impl Link {
    pub(super) fn new(stream: TcpStream) -> (Self, Received) {
        let stream = Rc::new(RefCell::new(stream));
        let bytes = Rc::default();
        let received = Received {
            bytes: Rc::clone(&bytes),
            stream: Rc::downgrade(&stream),
        };
        let link = Self {
            stream,
            received: bytes,
        };
        (link, received)
    }

    pub(super) fn into_stream(self) -> TcpStream {
        Rc::into_inner(self.stream)
            .expect("others own it only while they look at it")
            .into_inner()
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
        let came = into.filled().len() - before;
        this.received.set(this.received.get() + came as u64);
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
    use tokio::{io::AsyncWriteExt, net::TcpListener, task::yield_now};

    use super::*;

    async fn pair() -> (Link, Received, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (link, received) = Link::new(near);
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
