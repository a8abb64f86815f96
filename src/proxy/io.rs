//! The client's socket as hyper sees it.
//!
//! hyper answers an unreadable head on its own, without asking the service. Such an answer is
//! recognised where bytes leave with no response in hand; it gets the fields that every answer
//! of the agent carries, and is counted.

use std::{
    cell::Cell,
    io,
    net::IpAddr,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::HeaderValue;
use hyper::{
    body::{Body, Frame, SizeHint},
    rt::{Read, ReadBufCursor, Write},
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{
    failure::{Failure, REASON_FIELD},
    record::Record,
    request_id,
    thread::Thread,
};

/// One client connection, shared by its socket and the requests that came on it.
pub(super) struct Client {
    pub(super) address: IpAddr,
    thread: Rc<Thread>,
    /// Responses that hyper has and whose bodies have not ended.
    open: Cell<usize>,
    /// Whether hyper may hold bytes of a response that have not left.
    unsent: Cell<bool>,
}

impl Client {
    pub(super) fn new(address: IpAddr, thread: Rc<Thread>) -> Rc<Self> {
        Rc::new(Self {
            address,
            thread,
            open: Cell::new(0),
            unsent: Cell::new(false),
        })
    }

    /// Marks a response as handed to hyper until its body has ended.
    pub(super) fn in_hand<B>(self: &Rc<Self>, body: B) -> InHand<B> {
        self.open.set(self.open.get() + 1);
        self.unsent.set(true);
        InHand {
            body,
            client: Rc::clone(self),
        }
    }

    fn has_response(&self) -> bool {
        self.open.get() > 0 || self.unsent.get()
    }
}

/// The body of a response that hyper has in hand.
pub(super) struct InHand<B> {
    body: B,
    client: Rc<Client>,
}

impl<B> Drop for InHand<B> {
    fn drop(&mut self) {
        self.client.open.set(self.client.open.get() - 1);
        self.client.unsent.set(true);
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for InHand<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The socket.
pub(super) struct Socket {
    stream: TokioIo<TcpStream>,
    client: Rc<Client>,
    /// What is left of an answer that was put in hyper's answer's place.
    own: Bytes,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, client: Rc<Client>) -> Self {
        Self {
            stream: TokioIo::new(stream),
            client,
            own: Bytes::new(),
        }
    }

    /// Takes what hyper wants to send if it is an answer of hyper's own.
    fn replace_own_answer(&mut self, bytes: &[u8]) -> bool {
        let Some(status) = own_status(bytes).filter(|_| !self.client.has_response()) else {
            return false;
        };
        let id = request_id::generate();
        Record::unreadable(&self.client.thread, self.client.address, &id, status);
        self.own = with_own_fields(bytes, &id, Failure::of_own_status(status));
        true
    }

    fn poll_own(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.own.is_empty() {
            let sent = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.own))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            drop(self.own.split_to(sent));
        }
        Poll::Ready(Ok(()))
    }
}

/// The status of an answer that hyper makes for a head it cannot read: it closes and has no body.
fn own_status(bytes: &[u8]) -> Option<u16> {
    let rest = bytes
        .strip_prefix(b"HTTP/1.1 ")
        .or_else(|| bytes.strip_prefix(b"HTTP/1.0 "))?;
    let is_own = rest.len() < 128 && rest.ends_with(b"\r\ncontent-length: 0\r\n\r\n");
    let status = std::str::from_utf8(rest.get(..3)?).ok()?.parse().ok()?;
    (is_own && matches!(status, 400 | 414 | 431)).then_some(status)
}

fn with_own_fields(bytes: &[u8], id: &HeaderValue, failure: Failure) -> Bytes {
    let fields = format!(
        "{REASON_FIELD}: {}\r\n{}: ",
        failure.reason(),
        request_id::FIELD
    );
    let head = &bytes[..bytes.len() - 2];
    [head, fields.as_bytes(), id.as_bytes(), b"\r\n\r\n"]
        .concat()
        .into()
}

impl Read for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, into)
    }
}

impl Write for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_own(cx))?;
        if this.replace_own_answer(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut this.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_own(cx))?;
        // hyper's own answer is a head alone, so one slice
        if let [only] = slices
            && this.replace_own_answer(only)
        {
            return Poll::Ready(Ok(only.len()));
        }
        Pin::new(&mut this.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_own(cx))?;
        // hyper flushes the socket only when its own buffer is empty
        this.client.unsent.set(false);
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_own(cx))?;
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_of_hypers_shape_is_taken_for_its_own() {
        let own = |s: &str| own_status(s.as_bytes());
        let head = "HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n";
        assert_eq!(own(&format!("{head}content-length: 0\r\n\r\n")), Some(431));
        assert_eq!(
            own("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"),
            Some(400)
        );
        assert_eq!(
            own("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"),
            None
        );
        assert_eq!(
            own("HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n"),
            None
        );
        assert_eq!(own("HTTP/1.1 4"), None);
        assert_eq!(own(""), None);
    }

    #[test]
    fn an_own_answer_gets_its_reason_and_an_id() {
        let bytes = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
        let id = HeaderValue::from_static("abc");
        let text = with_own_fields(bytes, &id, Failure::BadRequest);
        assert_eq!(
            text,
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\
             x-sidelight-reason: bad_request\r\nx-request-id: abc\r\n\r\n"
        );
    }
}
