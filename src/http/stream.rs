//! Bodies that are made part by part, for as long as the client takes them.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Frame;

use super::response::Body;

/// Where the parts of a body come from.
pub trait Parts: Send + Sized + 'static {
    /// The next; `None`: that was all. It is not asked for before the client has taken those before, but for
    /// some tens of kilobytes, and is dropped in the middle when the client leaves.
    fn next(&mut self) -> impl Future<Output = Option<Bytes>> + Send;
}

/// A body of `parts`.
pub fn stream(parts: impl Parts) -> Body {
    let next = Some(Box::pin(next(parts)) as Next<_>);
    Stream { next }.boxed_unsync()
}

type Next<P> = Pin<Box<dyn Future<Output = (P, Option<Bytes>)> + Send>>;

async fn next<P: Parts>(mut parts: P) -> (P, Option<Bytes>) {
    let part = parts.next().await;
    (parts, part)
}

struct Stream<P> {
    next: Option<Next<P>>,
}

impl<P: Parts> hyper::body::Body for Stream<P> {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let Some(coming) = &mut self.next else {
            return Poll::Ready(None);
        };
        let (parts, part) = std::task::ready!(coming.as_mut().poll(cx));
        self.next = part.is_some().then(|| Box::pin(next(parts)) as Next<P>);
        Poll::Ready(part.map(|part| Ok(Frame::data(part))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Countdown(u32);

    impl Parts for Countdown {
        async fn next(&mut self) -> Option<Bytes> {
            tokio::task::yield_now().await;
            self.0 = self.0.checked_sub(1)?;
            Some(self.0.to_string().into())
        }
    }

    #[tokio::test]
    async fn parts_come_in_their_order_and_end() {
        let mut body = stream(Countdown(3));
        let mut parts = Vec::new();
        while let Some(frame) = body.frame().await {
            parts.push(frame.unwrap().into_data().unwrap());
        }
        assert_eq!(parts, ["2", "1", "0"]);
        assert!(body.frame().await.is_none());
    }
}
