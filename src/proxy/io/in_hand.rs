//! The body of an answer while hyper has it.

use std::{
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::Client;

/// The body of a response that hyper has in hand.
pub(in crate::proxy) struct InHand<B> {
    body: B,
    client: Rc<Client>,
}

impl<B> InHand<B> {
    pub(super) fn new(body: B, client: Rc<Client>) -> Self {
        Self { body, client }
    }
}

impl<B> Drop for InHand<B> {
    fn drop(&mut self) {
        self.client.answer_ended();
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
