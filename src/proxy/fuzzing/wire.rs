//! A connection in memory.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use hyper::rt::{Read, ReadBufCursor, Write};

/// The other end has sent `bytes`, which arrive in pieces, and closes; it reads everything.
pub(in crate::proxy) struct Wire<'a, F> {
    pub(in crate::proxy) bytes: &'a [u8],
    /// Lengths of the pieces, over and over; 0 stands for as much as fits, and so does an empty one.
    pub(in crate::proxy) pieces: std::iter::Cycle<std::slice::Iter<'a, u8>>,
    /// Sees each piece before hyper does; an error breaks the connection.
    pub(in crate::proxy) seen: F,
}

impl<F: FnMut(&[u8]) -> io::Result<()> + Unpin> Read for Wire<'_, F> {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut room: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let most = match this.pieces.next() {
            None | Some(0) => usize::MAX,
            Some(n) => usize::from(*n),
        };
        let length = most.min(room.remaining()).min(this.bytes.len());
        let (piece, rest) = this.bytes.split_at(length);
        this.bytes = rest;
        if !piece.is_empty() {
            (this.seen)(piece)?;
        }
        room.put_slice(piece);
        Poll::Ready(Ok(()))
    }
}

impl<F: Unpin> Write for Wire<'_, F> {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Runs what never has to wait, for all its bytes are there.
///
/// `bytes`: of its input; each takes a bounded number of turns.
pub(in crate::proxy) fn run<T>(future: impl Future<Output = T>, bytes: usize) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..100 + 10 * bytes {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
    panic!("it waits for something, and nothing more can come");
}
