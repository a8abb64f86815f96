//! What the upstream says before its answer: 1xx (RFC 9110, section 15.2).
//!
//! hyper's client reports them from the upstream's connection; its server cannot send them, so
//! they go to the client's socket while nothing of an answer is on its way there.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use ::metrics::Counter;
use http::{HeaderMap, Request, StatusCode, Version, header};

use super::sanitize;

/// Most that are passed on for one request; further ones are dropped.
const MOST: usize = 32;
/// Most bytes of them that wait to be passed on.
const MOST_BYTES: usize = 64 * 1024;
/// How long a body waits for `100 Continue`: some servers never say it (RFC 9110, section 10.1.1).
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// What came for one request.
///
/// hyper wants a callback that any thread may call, hence the lock. Nobody ever waits for it: both
/// ends are tasks of one thread.
pub(super) struct Interim(Mutex<State>);

#[derive(Default)]
struct State {
    /// Heads that wait to be passed on, one behind the other.
    heads: Vec<u8>,
    count: usize,
    continues: bool,
    answer: Option<Waker>,
    body: Option<Waker>,
}

impl Interim {
    /// Listens for what comes before the answer to `request`; counts as `lost` what does not pass.
    ///
    /// `version`: the client's. One of HTTP/1.0 is told nothing (RFC 9110, section 15.2), and hyper
    /// cannot tell one of HTTP/2.
    pub(super) fn of<B>(request: &mut Request<B>, version: Version, lost: Counter) -> Arc<Self> {
        let interim = Arc::new(Self(Mutex::default()));
        let listener = Arc::clone(&interim);
        let passes = version == Version::HTTP_11;
        hyper::ext::on_informational(request, move |head| {
            if !listener.came(passes, head.status(), head.headers()) {
                lost.increment(1);
            }
        });
        interim
    }

    /// Whether it reaches the client.
    fn came(&self, passes: bool, status: StatusCode, fields: &HeaderMap) -> bool {
        let mut state = self.state();
        if status == StatusCode::CONTINUE {
            // hyper says it to the client when the body is asked for
            state.continues = true;
            state.body.take().into_iter().for_each(Waker::wake);
            return passes;
        }
        let has_room = state.count < MOST && state.heads.len() < MOST_BYTES;
        if passes && has_room {
            state.count += 1;
            write_head(&mut state.heads, status, fields);
            state.answer.take().into_iter().for_each(Waker::wake);
        }
        passes && has_room
    }

    /// Takes what is to be passed on, or wakes this task when more comes.
    pub(super) fn take(&self, cx: &Context<'_>) -> Vec<u8> {
        let mut state = self.state();
        if !state
            .answer
            .as_ref()
            .is_some_and(|w| w.will_wake(cx.waker()))
        {
            state.answer = Some(cx.waker().clone());
        }
        std::mem::take(&mut state.heads)
    }

    /// Ready when the upstream wants the body.
    pub(super) fn poll_continue(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if state.continues {
            return Poll::Ready(());
        }
        state.body = Some(cx.waker().clone());
        Poll::Pending
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn write_head(into: &mut Vec<u8>, status: StatusCode, fields: &HeaderMap) {
    let mut fields = fields.clone();
    sanitize::remove_hop_by_hop(&mut fields);
    // an interim answer has no body (RFC 9110, section 8.6)
    fields.remove(header::CONTENT_LENGTH);
    let reason = status.canonical_reason().unwrap_or_default();
    into.extend_from_slice(format!("HTTP/1.1 {} {reason}\r\n", status.as_str()).as_bytes());
    for (name, value) in &fields {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            into.extend_from_slice(part);
        }
    }
    into.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn some() -> Arc<Interim> {
        Interim::of(&mut Request::new(()), Version::HTTP_11, Counter::noop())
    }

    #[test]
    fn hints_are_passed_on_without_the_fields_of_their_connection() {
        let interim = some();
        let mut fields = HeaderMap::new();
        fields.insert("link", HeaderValue::from_static("</a>"));
        fields.insert("connection", HeaderValue::from_static("x-hop"));
        fields.insert("x-hop", HeaderValue::from_static("1"));
        fields.insert("content-length", HeaderValue::from_static("3"));
        interim.came(true, StatusCode::EARLY_HINTS, &fields);
        let cx = Context::from_waker(Waker::noop());
        let expected = b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
        assert_eq!(interim.take(&cx), expected);
        assert_eq!(interim.take(&cx), b"");
    }

    #[test]
    fn no_more_than_32_are_passed_on_and_none_to_an_old_client() {
        let interim = some();
        let cx = Context::from_waker(Waker::noop());
        let mut passed = Vec::new();
        for i in 0..100 {
            interim.came(i > 5, StatusCode::PROCESSING, &HeaderMap::new());
            passed.extend(interim.take(&cx));
        }
        let one = b"HTTP/1.1 102 Processing\r\n\r\n";
        assert_eq!(passed, one.repeat(MOST));
    }

    #[test]
    fn a_body_waits_until_the_upstream_wants_it() {
        let interim = some();
        let cx = Context::from_waker(Waker::noop());
        assert_eq!(interim.poll_continue(&cx), Poll::Pending);
        interim.came(true, StatusCode::CONTINUE, &HeaderMap::new());
        assert_eq!(interim.poll_continue(&cx), Poll::Ready(()));
        assert_eq!(interim.take(&cx), b"", "hyper says it itself");
    }
}
