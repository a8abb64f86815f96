//! The client's end of one request: alone on its connection, or one stream of many.

use std::{
    net::IpAddr,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::{
    interim::Interim, io::Client, streams::Open, thread::Thread, trailers::Trailers,
    upstream::Leftover,
};

/// Who asked.
pub(super) enum Near {
    /// A client of HTTP/1: one request after the other.
    Alone(Rc<Client>),
    /// A stream of HTTP/2.
    Stream(Open),
}

impl Near {
    pub(super) fn address(&self) -> IpAddr {
        match self {
            Self::Alone(client) => client.address,
            Self::Stream(stream) => stream.address(),
        }
    }

    /// There is an answer: unless it agrees to a tunnel, what follows is HTTP.
    pub(super) fn settle(&self) {
        if let Self::Alone(client) = self {
            client.settle();
        }
    }

    /// Bytes go to and from `far` once the answer that says so has left.
    pub(super) fn tunnel_to(&self, far: Leftover) {
        // a stream never asks for a tunnel
        if let Self::Alone(client) = self {
            client.tunnel_to(far);
        }
    }

    /// Waits for `answer`, and sends the client what comes before it, if it can be sent.
    pub(super) async fn pass_on<F: Future>(&self, interim: &Interim, answer: F) -> F::Output {
        match self {
            Self::Alone(client) => client.pass_on(interim, answer).await,
            Self::Stream(_) => answer.await,
        }
    }

    /// Whether bytes on the connection belong to one request after the other.
    pub(super) fn is_alone(&self) -> bool {
        matches!(self, Self::Alone(_))
    }

    /// Marks an answer as handed to hyper until its body has ended.
    ///
    /// `trailers`: what can pass behind it; `thread` counts the rest.
    pub(super) fn in_hand<B>(self, body: B, trailers: Trailers, thread: Rc<Thread>) -> InHand<B> {
        match &self {
            Self::Alone(client) => client.answer_begins(),
            Self::Stream(stream) => stream.answered(),
        }
        InHand {
            body,
            near: self,
            trailers,
            thread,
        }
    }
}

/// The body of an answer that hyper has in hand.
pub(super) struct InHand<B> {
    body: B,
    near: Near,
    trailers: Trailers,
    thread: Rc<Thread>,
}

impl<B> Drop for InHand<B> {
    fn drop(&mut self) {
        if let Near::Alone(client) = &self.near {
            client.answer_ended();
        }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for InHand<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.get_mut();
        let frame = Pin::new(&mut this.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &frame {
            this.trailers.count_lost(frame, &this.thread.counts);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
