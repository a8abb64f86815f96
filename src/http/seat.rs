//! A connection's place in the server, and whether it could be given to another.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Instant,
};

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::sync::Notify;

use super::response::Body;

/// One connection as the accepting loop sees it.
pub(super) struct Seat {
    state: Mutex<State>,
    /// Told when a seat may have become idle.
    freed: Arc<Notify>,
}

struct State {
    /// A request is being answered.
    working: bool,
    /// Its body is still to come.
    reading: bool,
    /// hyper may hold bytes of a response that have not left.
    unsent: bool,
    /// When what is the case began.
    since: Instant,
}

impl Seat {
    pub(super) fn new(freed: Arc<Notify>) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                working: false,
                reading: false,
                unsent: false,
                since: Instant::now(),
            }),
            freed,
        })
    }

    /// Since when nothing is in hand, if nothing is; a head that has not come whole is nothing.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        (!state.working && !state.unsent).then_some(state.since)
    }

    /// Since when the client keeps the server waiting, if it does: with the rest of its request, or
    /// by not taking its answer. A body that is still being made is the server's to end.
    pub(super) fn waited_for_since(&self) -> Option<Instant> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_waited_for = state.reading || (!state.working && state.unsent);
        is_waited_for.then_some(state.since)
    }

    /// The head of a request has come.
    pub(super) fn works(&self) {
        self.change(|state| {
            state.working = true;
            state.reading = true;
            state.since = Instant::now();
        });
    }

    /// The request is whole.
    pub(super) fn has_read(&self) {
        self.change(|state| state.reading = false);
    }

    /// Bytes are being sent.
    pub(super) fn sends(&self) {
        self.change(|state| state.unsent = true);
    }

    /// Everything has been sent.
    pub(super) fn has_sent(&self) {
        self.change(|state| {
            if state.unsent {
                state.unsent = false;
                state.since = Instant::now();
            }
        });
    }

    fn has_answered(&self) {
        self.change(|state| {
            state.working = false;
            state.reading = false;
            state.since = Instant::now();
            // hyper has the last bytes, the socket may not
            state.unsent = true;
        });
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let was_idle = !state.working && !state.unsent;
        change(&mut state);
        if !was_idle && !state.working && !state.unsent {
            self.freed.notify_one();
        }
    }
}

/// A response's body, which ends the work on its request when it is dropped.
pub(super) struct InHand {
    body: Body,
    seat: Arc<Seat>,
}

impl InHand {
    pub(super) fn new(body: Body, seat: Arc<Seat>) -> Self {
        Self { body, seat }
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        self.seat.has_answered();
    }
}

impl hyper::body::Body for InHand {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::empty;

    #[test]
    fn a_seat_is_idle_until_a_request_comes_and_after_the_last_byte_left() {
        let seat = Seat::new(Arc::default());
        assert!(seat.idle_since().is_some());
        assert!(seat.waited_for_since().is_none());
        seat.works();
        assert!(seat.idle_since().is_none());
        assert!(seat.waited_for_since().is_some());
        seat.sends();
        seat.has_sent();
        seat.has_read();
        assert!(seat.idle_since().is_none());
        assert!(seat.waited_for_since().is_none());
        drop(InHand::new(empty(), Arc::clone(&seat)));
        assert!(seat.idle_since().is_none());
        assert!(seat.waited_for_since().is_some());
        seat.has_sent();
        assert!(seat.idle_since().is_some());
        assert!(seat.waited_for_since().is_none());
    }
}
