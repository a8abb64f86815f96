//! A body that is waited for only so long.
//!
//! A client of HTTP/1 that stops in the middle of its body is found out where its socket is read. One
//! stream of HTTP/2 may stop while others on its connection go on.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

use super::{streams::Open, wake::Bell};

/// Why the body of a request did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    /// It broke off, or was not as it must be.
    #[error(transparent)]
    Broken(#[from] hyper::Error),
    /// Nothing of it came for `proxy.client_idle`.
    #[error("the body stopped coming")]
    Stalled,
}

/// The body of a request.
pub(super) struct Patient {
    body: Incoming,
    source: Source,
    timer: Option<Pin<Box<Sleep>>>,
}

/// Where it comes from.
enum Source {
    /// A connection of its own. Who reads the socket looks after it.
    Alone(Arc<Bell>),
    /// A stream, of which something must come within this time.
    Stream(Open, Duration),
}

impl Patient {
    /// One of HTTP/1.
    pub(super) fn new(body: Incoming, bell: Arc<Bell>) -> Self {
        Self {
            body,
            source: Source::Alone(bell),
            timer: None,
        }
    }

    /// One of HTTP/2, of which something must come within `limit` until there is an answer: who is
    /// answered already may listen for as long as it likes.
    pub(super) fn of_stream(body: Incoming, stream: Open, limit: Duration) -> Self {
        Self {
            body,
            source: Source::Stream(stream, limit),
            timer: None,
        }
    }

    /// Ready when nothing came for too long.
    fn poll_limit(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Source::Stream(stream, limit) = &self.source else {
            return Poll::Pending;
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(*limit)));
        loop {
            ready!(timer.as_mut().poll(cx));
            if !stream.is_answered() {
                return Poll::Ready(());
            }
            timer.as_mut().reset(Instant::now() + *limit);
        }
    }

    /// Something came: the time begins anew, when it is next waited for.
    fn start_anew(&mut self) {
        if let (Source::Stream(_, limit), Some(timer)) = (&self.source, &mut self.timer) {
            timer.as_mut().reset(Instant::now() + *limit);
        }
    }
}

impl Body for Patient {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let frame = match &this.source {
            Source::Alone(bell) => bell.poll_frame(&mut this.body, cx),
            Source::Stream(..) => Pin::new(&mut this.body).poll_frame(cx),
        };
        match frame {
            Poll::Ready(frame) => {
                this.start_anew();
                Poll::Ready(frame.map(|frame| Ok(frame?)))
            }
            Poll::Pending => this.poll_limit(cx).map(|()| Some(Err(BodyError::Stalled))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
