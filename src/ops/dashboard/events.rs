//! `GET /events`: the state, once a second, for as long as a page is open.
//!
//! A page that is slow is not asked for: it gets the state of when it is ready again. When the agent
//! leaves, each gets one last state that says so, and the stream ends.

use std::{sync::Arc, time::Duration};

use ::http::{HeaderName, HeaderValue, StatusCode, header};
use bytes::Bytes;
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, Interval, MissedTickBehavior, interval_at},
};

use super::{EVERY, Tick, tick};
use crate::{
    drain::{self, Phase},
    http::{Parts, Response, error_json, stream},
    ops::Ops,
};

/// When a page comes back whose stream has ended, in milliseconds.
const RETRY: &str = "retry: 2000\n\n";
/// Seconds after which one that there was no room for may come again.
const AGAIN: HeaderValue = HeaderValue::from_static("5");
/// The stream has ended because the agent leaves.
const LEAVING: &str = "event: leaving\ndata: {}\n\n";

pub(super) fn get(ops: &Arc<Ops>) -> Response {
    let Ok(seat) = Arc::clone(&ops.dashboard.pages).try_acquire_owned() else {
        let detail = "as many pages are open as may be; GET /state answers everybody";
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let mut full = error_json(status, "too_many_pages", detail);
        full.headers_mut().insert(header::RETRY_AFTER, AGAIN);
        return full;
    };
    let mut response = Response::new(stream(Events::new(Arc::clone(ops), seat)));
    let fields = response.headers_mut();
    let of_events = HeaderValue::from_static("text/event-stream");
    fields.insert(header::CONTENT_TYPE, of_events);
    // a proxy before us that gathered events would hold them back
    let unbuffered = HeaderName::from_static("x-accel-buffering");
    fields.insert(unbuffered, HeaderValue::from_static("no"));
    response
}

/// What one page gets.
struct Events {
    ops: Arc<Ops>,
    leaving: drain::Watch,
    due: Interval,
    /// Number of the last state that was sent.
    sent: u64,
    stage: Stage,
    _seat: OwnedSemaphorePermit,
}

enum Stage {
    Begins,
    GoesOn,
    HasEnded,
}

impl Events {
    fn new(ops: Arc<Ops>, seat: OwnedSemaphorePermit) -> Self {
        let mut due = interval_at(Instant::now() + EVERY, EVERY);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            leaving: ops.drain.watch(),
            ops,
            due,
            sent: 0,
            stage: Stage::Begins,
            _seat: seat,
        }
    }

    /// The next state that was not sent, or the last.
    async fn state(&mut self) -> Bytes {
        loop {
            let is_last = tokio::select! {
                biased;
                () = self.leaving.reached(Phase::Leaving) => true,
                _ = self.due.tick() => false,
            };
            if is_last {
                return self.last().await;
            }
            let Tick { number, event, .. } = tick(&self.ops, EVERY.saturating_sub(JITTER)).await;
            if number != self.sent {
                self.sent = number;
                return event;
            }
        }
    }

    /// A state of now, in which the agent leaves.
    async fn last(&mut self) -> Bytes {
        self.stage = Stage::HasEnded;
        let event = tick(&self.ops, Duration::ZERO).await.event;
        [&event, LEAVING.as_bytes()].concat().into()
    }
}

/// Timers come a little late or early: one state each second all the same.
const JITTER: Duration = Duration::from_millis(50);

impl Parts for Events {
    async fn next(&mut self) -> Option<Bytes> {
        match self.stage {
            Stage::HasEnded => None,
            Stage::Begins => {
                self.stage = Stage::GoesOn;
                let Tick { number, event, .. } = tick(&self.ops, EVERY).await;
                self.sent = number;
                Some([RETRY.as_bytes(), &event].concat().into())
            }
            Stage::GoesOn => Some(self.state().await),
        }
    }
}
