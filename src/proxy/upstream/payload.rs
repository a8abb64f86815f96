//! The body of an answer, and the connection that it comes on.

use std::{
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use super::{Connection, multiplexed::Slot};
use crate::proxy::thread::Thread;

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
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Self::Own(body) => Pin::new(body)
                .poll_frame(cx)
                .map_err(|never| match never {}),
            Self::Upstream(body, lease) => {
                let frame = Pin::new(&mut *body).poll_frame(cx);
                if matches!(frame, Poll::Ready(None)) || body.is_end_stream() {
                    lease.end();
                }
                frame
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
