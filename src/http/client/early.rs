//! What a server says first.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Types of frames that a server of HTTP/2 begins with: `SETTINGS`, and `GOAWAY` where it was asked
/// in HTTP/1 (RFC 9113, sections 3.4 and 6.8).
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
/// Bytes of a frame's length, which its type follows.
const LENGTH: usize = 3;

/// A stream whose first bytes are looked at.
pub(super) struct Early<S> {
    stream: S,
    came: usize,
    began: Began,
}

/// The fourth byte that came; 0, which is the type of no first frame, until there is one.
#[derive(Clone, Default)]
pub(super) struct Began(Arc<AtomicU8>);

impl Began {
    /// Whether the server began with a frame of HTTP/2.
    pub(super) fn is_http2(&self) -> bool {
        matches!(self.0.load(Ordering::Relaxed), SETTINGS | GOAWAY)
    }
}

impl<S> Early<S> {
    pub(super) fn new(stream: S) -> (Self, Began) {
        let began = Began::default();
        let early = Self {
            stream,
            came: 0,
            began: began.clone(),
        };
        (early, began)
    }

    fn look(&mut self, bytes: &[u8]) {
        let fourth = LENGTH.checked_sub(self.came);
        if let Some(fourth) = fourth.and_then(|at| bytes.get(at)) {
            self.began.0.store(*fourth, Ordering::Relaxed);
        }
        self.came = self.came.saturating_add(bytes.len());
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Early<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = into.filled().len();
        let outcome = Pin::new(&mut this.stream).poll_read(cx, into);
        this.look(&into.filled()[before..]);
        outcome
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Early<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
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

    #[test]
    fn the_fourth_byte_counts_however_the_first_are_cut() {
        let frame = b"\0\0\x12\x04\0\0\0\0\0\x07";
        for cut in 0..frame.len() {
            let (mut early, began) = Early::new(());
            early.look(&frame[..cut]);
            early.look(&frame[cut..]);
            assert!(began.is_http2(), "{cut}");
        }
        let (mut early, began) = Early::new(());
        early.look(b"HTTP\x04\x04\x04\x04");
        early.look(b"\x04\x04\x04\x04");
        assert!(!began.is_http2());
    }
}
