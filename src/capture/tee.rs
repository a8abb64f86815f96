//! A body that streams on while a copy of it is kept, up to a limit.

use std::{
    mem,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::grpc;
use crate::panics::hook;

/// The copy of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    /// What was kept: all of it, or nothing when it grew beyond the limit or was not wanted.
    pub bytes: Vec<u8>,
    /// How the body ended.
    pub end: End,
    /// Bytes that passed, kept or not.
    pub passed: u64,
    /// Whether trailers passed after the body.
    pub trailers: bool,
    /// The outcome of a call of gRPC, where trailers tell it.
    pub outcome: Option<grpc::Outcome>,
}

/// Bytes that the first frame of a longer body makes room for.
const FIRST_ROOM: usize = 8 * 1024;

/// How a body ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// To its last byte, and the copy is whole.
    Complete,
    /// To its last byte, but longer than the limit.
    TooLong,
    /// Its sender broke off.
    Broken,
    /// Its receiver lost interest before the end.
    Dropped,
}

/// Who is told how a body ended.
pub trait Report {
    /// Takes the copy; called exactly once per body.
    fn report(self, copy: Captured);
}

impl<F: FnOnce(Captured)> Report for F {
    fn report(self, copy: Captured) {
        self(copy);
    }
}

/// Passes frames on, copies data up to a limit, and reports the end exactly once.
///
/// Frames are copied, not held: hyper's share the read buffer of the connection, and a held
/// 300-byte frame keeps 15 times its size alive. Copied, 1.2 times.
pub struct Tee<B, R: Report> {
    body: B,
    limit: usize,
    /// Bytes that its head announces, at least.
    expected: usize,
    copy: Captured,
    report: Option<R>,
}

impl<B, R> Tee<B, R>
where
    B: Body<Data = Bytes> + Unpin,
    R: Report,
{
    /// `limit`: most bytes kept; 0 keeps none and still reports.
    /// `room`: an empty buffer to keep them in.
    /// `report`: told once, at the end or when the body is dropped before it.
    pub fn new(body: B, limit: usize, room: Vec<u8>, report: R) -> Self {
        let expected = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        let copy = Captured {
            bytes: room,
            end: End::Dropped,
            passed: 0,
            trailers: false,
            outcome: None,
        };
        let mut tee = Self {
            body,
            limit,
            expected,
            copy,
            report: Some(report),
        };
        if tee.body.is_end_stream() {
            tee.finish();
        }
        tee
    }

    fn keep(&mut self, data: &[u8]) {
        self.copy.passed += data.len() as u64;
        if self.copy.end == End::TooLong {
            return;
        }
        if self.expected.max(self.copy.bytes.len() + data.len()) > self.limit {
            self.copy.end = End::TooLong;
            self.copy.bytes = Vec::new();
        } else {
            if self.copy.bytes.is_empty() {
                // one allocation for the usual body; a sender that stalls holds what it sent
                let room = self.expected.min(data.len().max(FIRST_ROOM));
                self.copy.bytes.reserve_exact(room);
            }
            self.copy.bytes.extend_from_slice(data);
        }
    }

    fn finish(&mut self) {
        if self.copy.end != End::TooLong {
            self.copy.end = End::Complete;
        }
        self.report();
    }
}

impl<B, R: Report> Tee<B, R> {
    fn report(&mut self) {
        if let Some(report) = self.report.take() {
            let empty = Captured {
                bytes: Vec::new(),
                end: End::Dropped,
                passed: 0,
                trailers: false,
                outcome: None,
            };
            report.report(mem::replace(&mut self.copy, empty));
        }
    }
}

impl<B, R> Body for Tee<B, R>
where
    B: Body<Data = Bytes> + Unpin,
    R: Report + Unpin,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.get_mut();
        let frame = Pin::new(&mut this.body).poll_frame(cx);
        hook("body");
        match &frame {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    this.keep(data);
                } else {
                    this.copy.trailers = true;
                    this.copy.outcome = frame.trailers_ref().and_then(grpc::outcome);
                }
                // hyper does not ask again once the length is reached
                if this.body.is_end_stream() {
                    this.finish();
                }
            }
            Poll::Ready(Some(Err(_))) => {
                this.copy.end = End::Broken;
                this.report();
            }
            Poll::Ready(None) => this.finish(),
            Poll::Pending => {}
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

impl<B, R: Report> Drop for Tee<B, R> {
    fn drop(&mut self) {
        if self.report.is_some() {
            self.copy.end = End::Dropped;
            self.report();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, collections::VecDeque, io, rc::Rc};

    use http::HeaderMap;
    use http_body_util::{BodyExt, Full};

    use super::*;

    /// Frames in order, then the end; `Err` breaks off.
    struct Frames(VecDeque<Result<Frame<Bytes>, io::Error>>);
    impl Body for Frames {
        type Data = Bytes;
        type Error = io::Error;
        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
            Poll::Ready(self.get_mut().0.pop_front())
        }
    }

    #[expect(
        clippy::unnecessary_wraps,
        reason = "a stream of frames is made of results"
    )]
    fn data(text: &'static str) -> Result<Frame<Bytes>, io::Error> {
        Ok(Frame::data(Bytes::from_static(text.as_bytes())))
    }

    /// What passed and what was reported, in order.
    async fn run(
        frames: Vec<Result<Frame<Bytes>, io::Error>>,
        limit: usize,
        stop_after: usize,
    ) -> (Vec<u8>, Vec<Captured>) {
        let reports = Rc::new(RefCell::new(Vec::new()));
        let mut tee = Tee::new(Frames(frames.into()), limit, Vec::new(), {
            let reports = Rc::clone(&reports);
            move |c| reports.borrow_mut().push(c)
        });
        let mut passed = Vec::new();
        for _ in 0..stop_after {
            match tee.frame().await {
                Some(Ok(frame)) => passed.extend(frame.into_data().unwrap_or_default()),
                Some(Err(_)) | None => break,
            }
        }
        drop(tee);
        let reports = reports.borrow().clone();
        (passed, reports)
    }

    #[tokio::test]
    async fn a_whole_body_passes_and_is_kept() {
        let (passed, reports) = run(vec![data("ab"), data("cd")], 4, 9).await;
        assert_eq!(passed, b"abcd");
        assert_eq!(reports.len(), 1);
        assert_eq!(
            (reports[0].end, reports[0].bytes.as_slice()),
            (End::Complete, &b"abcd"[..])
        );
    }

    #[tokio::test]
    async fn body_over_limit_passes_whole_and_is_not_kept() {
        let (passed, reports) = run(vec![data("ab"), data("cd"), data("ef")], 3, 9).await;
        assert_eq!(passed, b"abcdef");
        assert_eq!(reports.len(), 1);
        assert_eq!((reports[0].end, reports[0].passed), (End::TooLong, 6));
        assert_eq!(reports[0].bytes.capacity(), 0);
    }

    #[tokio::test]
    async fn a_broken_body_is_reported_once_as_broken() {
        let (passed, reports) = run(vec![data("ab"), Err(io::Error::other("reset"))], 9, 9).await;
        assert_eq!(passed, b"ab");
        assert_eq!(
            reports.iter().map(|r| r.end).collect::<Vec<_>>(),
            [End::Broken]
        );
    }

    #[tokio::test]
    async fn a_body_dropped_half_way_is_reported_as_dropped() {
        let (_, reports) = run(vec![data("ab"), data("cd")], 9, 1).await;
        assert_eq!(
            reports.iter().map(|r| r.end).collect::<Vec<_>>(),
            [End::Dropped]
        );
    }

    #[tokio::test]
    async fn trailers_pass_and_are_noted() {
        let frames = vec![data("ab"), Ok(Frame::trailers(HeaderMap::new()))];
        let (_, reports) = run(frames, 9, 9).await;
        assert!(reports[0].trailers);
        assert_eq!(reports[0].end, End::Complete);
    }

    #[test]
    fn an_empty_body_is_complete_before_it_is_polled() {
        let ended = RefCell::new(None);
        let body = Full::new(Bytes::new());
        drop(Tee::new(body, 9, Vec::new(), |c: Captured| {
            *ended.borrow_mut() = Some(c.end);
        }));
        assert_eq!(ended.into_inner(), Some(End::Complete));
    }
}
