//! How long a client may be quiet.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

use super::Client;

/// How long after the last answer a connection gives back what hyper keeps for it. Long enough that
/// a client in the middle of its work never waits for it, short enough that what a burst took is free
/// a moment after it.
const PARK_AFTER: Duration = Duration::from_millis(100);

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing of a request is there.
    Idle,
    /// A head has begun.
    Head,
    /// The rest of a request's body is the client's to send: it waits for its answer, or has had it.
    Body,
    /// A request is under way: it may take any time.
    Busy,
}

/// What comes of a client that is quiet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quiet {
    /// It has nothing to say now.
    Parked,
    /// Its head took too long.
    Late,
    /// It is let go.
    Left,
}

/// When to stop waiting for a client.
///
/// The timer is set early and checked late: most requests do not touch it.
#[derive(Default)]
pub(super) struct Deadline {
    timer: Option<Pin<Box<Sleep>>>,
    /// The stage, how far it was, and when that was seen first.
    seen: Option<(Stage, u64, Instant)>,
}

impl Client {
    fn stage(&self) -> Stage {
        let framing = self.framing.borrow();
        // who is being answered may listen for as long as it likes
        if framing.is_in_body() && self.open.get() == 0 {
            Stage::Body
        } else if self.is_busy.get() {
            Stage::Busy
        } else if framing.is_in_head() {
            Stage::Head
        } else {
            Stage::Idle
        }
    }

    fn limit(&self, stage: Stage) -> Duration {
        let settings = self.thread.settings.borrow();
        match stage {
            Stage::Head => settings.head_timeout,
            Stage::Idle | Stage::Body | Stage::Busy => settings.client_idle,
        }
    }

    /// What shows that a client is not quiet: heads, and in a body every byte.
    fn progress(&self, stage: Stage) -> u64 {
        match stage {
            Stage::Body => self.received.get(),
            _ => self.heads.get(),
        }
    }

    /// Whether nothing of a message is here, neither of the client's nor for it.
    fn can_park(&self) -> bool {
        self.framing.borrow().is_between() && !self.has_response()
    }
}

impl Deadline {
    /// To be told when everything has left. hyper read while the request was under way, and reads on
    /// only when there is something: without this the clock of a busy connection would go on.
    pub(super) fn rest(&mut self, cx: &mut Context<'_>, client: &Client) {
        if client.stage() == Stage::Idle {
            // what comes of it is said at the read that the clock brings about
            let _ = self.poll(cx, client);
        }
    }

    /// To be asked whenever there is nothing to read; ready when the client was quiet for too long.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, client: &Client) -> Poll<Quiet> {
        let stage = client.stage();
        let progress = client.progress(stage);
        let is_set = self.timer.as_ref().is_some_and(|timer| !timer.is_elapsed());
        let since = match self.seen {
            // what is set goes off and asks again, which is all that is wanted of it now
            Some((Stage::Busy, p, _)) if (stage, progress) == (Stage::Busy, p) && is_set => {
                return Poll::Pending;
            }
            Some((s, p, since)) if (s, p) == (stage, progress) => since,
            _ => Instant::now(),
        };
        self.seen = Some((stage, progress, since));
        let limit = client.limit(stage);
        let end = since + limit;
        let first = match stage {
            Stage::Idle => end.min(since + PARK_AFTER),
            _ => end,
        };
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(first)));
        if timer.deadline() > first && Instant::now() < first {
            timer.as_mut().reset(first);
        }
        loop {
            ready!(timer.as_mut().poll(cx));
            let now = Instant::now();
            match stage {
                Stage::Busy => timer.as_mut().reset(now + limit),
                Stage::Idle if now >= first && client.can_park() => {
                    return Poll::Ready(Quiet::Parked);
                }
                Stage::Head if now >= end => return Poll::Ready(Quiet::Late),
                _ if now >= end => return Poll::Ready(Quiet::Left),
                _ if now < first => timer.as_mut().reset(first),
                _ => timer.as_mut().reset(end.min(now + PARK_AFTER)),
            }
        }
    }
}
