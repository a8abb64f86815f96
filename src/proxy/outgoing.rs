//! The body of a request on its way to the upstream.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Sleep, sleep};

use super::{
    interim::{self, Interim},
    record::RequestEnd,
};
use crate::capture::tee::Tee;

/// What is sent to the upstream.
pub(super) struct Outgoing {
    /// `None`: a request without a body, sent again.
    body: Option<Tee<Incoming, RequestEnd>>,
    hold: Option<Hold>,
}

/// Until the upstream wants the body: to ask for a frame of it makes hyper tell the client to send.
struct Hold {
    interim: Arc<Interim>,
    patience: Pin<Box<Sleep>>,
}

impl Outgoing {
    pub(super) fn new(body: Tee<Incoming, RequestEnd>) -> Self {
        Self {
            body: Some(body),
            hold: None,
        }
    }

    /// No body.
    pub(super) fn empty() -> Self {
        Self {
            body: None,
            hold: None,
        }
    }

    /// Asks the client for nothing before the upstream says `100 Continue`, or says nothing for long.
    pub(super) fn hold(&mut self, interim: &Arc<Interim>) {
        self.hold = Some(Hold {
            interim: Arc::clone(interim),
            patience: Box::pin(sleep(interim::PATIENCE)),
        });
    }
}

impl Hold {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.interim.poll_continue(cx) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => self.patience.as_mut().poll(cx),
        }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        if let Some(hold) = &mut this.hold {
            ready!(hold.poll(cx));
            this.hold = None;
        }
        match &mut this.body {
            Some(body) => Pin::new(body).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Some(body) => body.size_hint(),
            None => SizeHint::with_exact(0),
        }
    }
}
