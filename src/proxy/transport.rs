//! A socket, with TLS or without.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use crate::tls::{ClientStream, ServerStream};

/// What bytes go over.
pub(super) enum Transport {
    /// As they are.
    Plain(TcpStream),
    /// TLS that a client began. In a box: it is many times the size of a socket.
    Accepted(Box<ServerStream<TcpStream>>),
    /// TLS towards the upstream.
    Dialed(Box<ClientStream<TcpStream>>),
}

/// Bytes that are written as one piece: to copy them costs less than to have the system gather them.
const SMALL: usize = 1024;

/// What `slices` hold, if it is small.
fn joined<'a>(slices: &'a [io::IoSlice<'a>], room: &'a mut [u8; SMALL]) -> Option<&'a [u8]> {
    if let [only] = slices {
        return Some(only);
    }
    let mut length = 0;
    for slice in slices {
        let end = length + slice.len();
        room.get_mut(length..end)?.copy_from_slice(slice);
        length = end;
    }
    Some(&room[..length])
}

/// Calls the same on whatever it is.
macro_rules! each {
    ($transport:expr, $stream:ident => $call:expr) => {
        match $transport {
            Transport::Plain($stream) => $call,
            Transport::Accepted($stream) => $call,
            Transport::Dialed($stream) => $call,
        }
    };
}

impl Transport {
    /// Ready when there is something to read, or the other side has left.
    ///
    /// Only after a read that was not ready: TLS has then given out all that it had.
    pub(super) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.tcp().poll_read_ready(cx)
    }

    /// The socket below.
    pub(super) fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Accepted(stream) => stream.get_ref().0,
            Self::Dialed(stream) => stream.get_ref().0,
        }
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(self.get_mut(), stream => Pin::new(stream).poll_read(cx, into))
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        each!(self.get_mut(), stream => Pin::new(stream).poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut room = [0; SMALL];
        match joined(slices, &mut room) {
            Some(bytes) => self.poll_write(cx, bytes),
            None => {
                each!(self.get_mut(), stream => Pin::new(stream).poll_write_vectored(cx, slices))
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        each!(self, stream => stream.is_write_vectored())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self.get_mut(), stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self.get_mut(), stream => Pin::new(stream).poll_shutdown(cx))
    }
}

#[cfg(test)]
mod tests {
    use io::IoSlice;

    use super::*;

    #[test]
    fn what_is_small_is_one_piece_and_what_is_not_stays_as_it_is() {
        let mut room = [0; SMALL];
        let of = |parts: &[&'static [u8]]| -> Vec<IoSlice<'static>> {
            parts.iter().map(|part| IoSlice::new(part)).collect()
        };
        assert_eq!(
            joined(&of(&[b"ab", b"", b"c"]), &mut room),
            Some(&b"abc"[..])
        );
        assert_eq!(joined(&of(&[]), &mut room), Some(&b""[..]));
        let half = &[b'x'; SMALL / 2];
        assert_eq!(
            joined(&of(&[half, half]), &mut room),
            Some(&[b'x'; SMALL][..])
        );
        assert_eq!(joined(&of(&[half, half, b"x"]), &mut room), None);
        let large = &[b'x'; 2 * SMALL];
        assert_eq!(joined(&of(&[large]), &mut room), Some(&large[..]));
    }
}
