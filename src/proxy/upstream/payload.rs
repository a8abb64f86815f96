//! The body of an answer, and the connection that it comes on.

use std::{
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use super::{Connection, multiplexed::Slot};
use crate::proxy::thread::Thread;

/// Why the body of an answer did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(in crate::proxy) enum PayloadError {
    /// It broke off, or was not as it must be.
    #[error(transparent)]
    Broken(#[from] hyper::Error),
    /// The upstream ended its stream in the middle without naming an error, which hyper takes for the
    /// end (RFC 9113, section 8.1).
    #[error("the stream ended before the answer did")]
    Cut,
}

/// The body of an answer: the upstream's, or one of the agent's own.
pub(in crate::proxy) enum Payload {
    /// As it comes from the upstream, with the connection it comes on.
    Upstream(Incoming, Lease),
    /// Made here.
    Own(Full<Bytes>),
}

/// A connection on loan.
pub(in crate::proxy) enum Lease {
    /// Back in the pool when the answer it carries has ended.
    Pooled(Rc<Thread>, Option<Connection>),
    /// One of many on a connection that others use as well.
    Stream { _slot: Slot },
    /// Not used again: it closes when its answer has ended.
    Last,
}

impl Lease {
    fn is_stream(&self) -> bool {
        matches!(self, Self::Stream { .. })
    }

    fn end(&mut self) {
        if let Self::Pooled(thread, connection) = self
            && let Some(connection) = connection.take()
        {
            thread.pool.give(connection, &thread.names);
        }
    }
}

impl Payload {
    /// The answer's body as it begins; an empty one has ended already.
    pub(in crate::proxy) fn upstream(body: Incoming, mut lease: Lease) -> Self {
        if body.is_end_stream() {
            lease.end();
        }
        Self::Upstream(body, lease)
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = PayloadError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, PayloadError>>> {
        match self.get_mut() {
            Self::Own(body) => Pin::new(body)
                .poll_frame(cx)
                .map_err(|never| match never {}),
            Self::Upstream(body, lease) => {
                let frame = ready!(match lease {
                    Lease::Pooled(_, Some(connection)) => connection.bell.poll_frame(body, cx),
                    _ => Pin::new(&mut *body).poll_frame(cx),
                });
                if frame.is_none() && lease.is_stream() && !body.is_end_stream() {
                    return Poll::Ready(Some(Err(PayloadError::Cut)));
                }
                if frame.is_none() || body.is_end_stream() {
                    lease.end();
                }
                Poll::Ready(frame.map(|frame| Ok(frame?)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(body) => body.is_end_stream(),
            Self::Upstream(body, _) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(body) => body.size_hint(),
            Self::Upstream(body, _) => body.size_hint(),
        }
    }
}
