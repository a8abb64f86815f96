//! A body that is waited for only so long.
//!
//! A client of HTTP/1 that stops in the middle of its body is found out where its socket is read. One
//! stream of HTTP/2 may stop while others on its connection go on.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

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
    /// `None`: who reads the socket looks after it.
    limit: Option<Duration>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Patient {
    pub(super) fn new(body: Incoming, limit: Option<Duration>) -> Self {
        Self {
            body,
            limit,
            timer: None,
        }
    }

    /// Ready when nothing came for too long.
    fn poll_limit(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(limit) = self.limit else {
            return Poll::Pending;
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(limit)));
        timer.as_mut().poll(cx)
    }

    /// Something came: the time begins anew, when it is next waited for.
    fn start_anew(&mut self) {
        if let (Some(limit), Some(timer)) = (self.limit, &mut self.timer) {
            timer.as_mut().reset(Instant::now() + limit);
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
        match Pin::new(&mut this.body).poll_frame(cx) {
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
