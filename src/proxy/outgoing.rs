//! The body of a request on its way to the upstream.

use std::{
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

use super::{
    interim::{self, Interim},
    patient::{BodyError, Patient},
    record::RequestEnd,
    thread::Thread,
    trailers::Trailers,
};
use crate::capture::tee::Tee;

/// What is sent to the upstream.
pub(super) struct Outgoing {
    /// `None`: a request without a body, sent again.
    body: Option<Tee<Patient, RequestEnd>>,
    hold: Option<Hold>,
    /// What can pass behind it, and who counts the rest.
    trailers: Trailers,
    thread: Option<Rc<Thread>>,
}

/// Until the upstream wants the body: to ask for a frame of it makes hyper tell the client to send.
struct Hold {
    interim: Arc<Interim>,
    patience: Pin<Box<Sleep>>,
}

impl Outgoing {
    /// `thread`: counts trailer fields that do not pass.
    pub(super) fn new(body: Tee<Patient, RequestEnd>, thread: Rc<Thread>) -> Self {
        Self {
            body: Some(body),
            hold: None,
            trailers: Trailers::All,
            thread: Some(thread),
        }
    }

    /// No body.
    pub(super) fn empty() -> Self {
        Self {
            body: None,
            hold: None,
            trailers: Trailers::All,
            thread: None,
        }
    }

    /// Only these can pass.
    pub(super) fn limit_trailers(&mut self, trailers: Trailers) {
        self.trailers = trailers;
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
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        if let Some(hold) = &mut this.hold {
            ready!(hold.poll(cx));
            this.hold = None;
        }
        let Some(body) = &mut this.body else {
            return Poll::Ready(None);
        };
        let frame = Pin::new(body).poll_frame(cx);
        if let (Poll::Ready(Some(Ok(frame))), Some(thread)) = (&frame, &this.thread) {
            this.trailers.count_lost(frame, &thread.counts);
        }
        frame
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
