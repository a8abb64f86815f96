//! Brings one receiver what waits for it, one after the other.

use std::{fmt, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::{sync::watch, time::sleep};

use super::{
    answer::{Answer, meaning},
    counts::{Counts, InHand, Outcome},
    letter::Letter,
    outbox::Outbox,
    settings::Receiver,
};
use crate::{panics::hook, post::pause};

pub(super) struct Courier {
    outbox: Arc<Outbox>,
    receiver: watch::Receiver<Arc<Receiver>>,
    counts: Counts,
    random: fastrand::Rng,
    /// The last try failed: that is told once, and not for each of many.
    is_down: bool,
}

impl Courier {
    pub(super) fn new(
        outbox: Arc<Outbox>,
        receiver: watch::Receiver<Arc<Receiver>>,
        counts: Counts,
    ) -> Self {
        Self {
            outbox,
            receiver,
            counts,
            random: fastrand::Rng::new(),
            is_down: false,
        }
    }

    /// Until the outbox is closed and empty.
    pub(super) async fn run(&mut self) {
        while let Some(letter) = self.outbox.next().await {
            let counts = self.counts.clone();
            let in_hand = InHand::new(&counts);
            hook("notify");
            in_hand.ended(self.deliver(&letter).await);
        }
    }

    /// Tries until it is taken or refused, or it is too late.
    async fn deliver(&mut self, letter: &Letter) -> Outcome {
        let mut failures = 0;
        loop {
            let receiver = Arc::clone(&self.receiver.borrow_and_update());
            let (asked, why) = match receiver.post(letter).await {
                Ok((status, fields)) => match meaning(status, &fields, Timestamp::now()) {
                    Answer::Taken => return self.taken(&receiver, letter),
                    Answer::Refused => {
                        lost(&receiver, letter, &status.as_u16(), "notification refused");
                        return Outcome::Refused;
                    }
                    Answer::Later(asked) => (asked, Why::Status(status.as_u16())),
                },
                Err(error) => (None, Why::Error(error)),
            };
            failures += 1;
            let pause = pause(failures, asked, &mut self.random);
            let is_too_late = letter.since.elapsed() + pause > receiver.give_up_after;
            if is_too_late || self.outbox.is_closed() {
                lost(&receiver, letter, &why, "notification given up");
                return Outcome::GivenUp;
            }
            self.failed(&receiver, &why, pause);
            // other settings may be what it takes; the end leaves one more try
            tokio::select! {
                () = sleep(pause) => {}
                Ok(()) = self.receiver.changed() => {}
                () = self.outbox.closed() => {}
            }
            self.counts.retried();
        }
    }

    fn taken(&mut self, receiver: &Receiver, letter: &Letter) -> Outcome {
        let (key, id) = (receiver.key.as_str(), letter.id.as_str());
        if std::mem::take(&mut self.is_down) {
            tracing::info!(
                key,
                to = receiver.peer.address.server.url(),
                "notifications arrive again"
            );
        }
        tracing::debug!(key, id, "notification delivered");
        Outcome::Delivered
    }

    fn failed(&mut self, receiver: &Receiver, why: &Why, pause: Duration) {
        if !std::mem::replace(&mut self.is_down, true) {
            tracing::warn!(
                key = receiver.key.as_str(),
                to = receiver.peer.address.server.url(),
                reason = %why,
                again_in_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
                "notification not delivered, it is tried again"
            );
        }
    }
}

/// Why a try failed. Shows nothing of the URL but its host.
enum Why {
    Status(u16),
    Error(crate::http::ClientError),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => status.fmt(f),
            Self::Error(error) => error.fmt(f),
        }
    }
}

fn lost(receiver: &Receiver, letter: &Letter, why: &dyn fmt::Display, message: &'static str) {
    let notice = &letter.notice;
    tracing::error!(
        key = receiver.key.as_str(),
        to = receiver.peer.address.server.url(),
        reason = %why,
        id = letter.id.as_str(),
        model = notice.model.as_str(),
        model_version = notice.model_version.as_str(),
        series = notice.series.as_str(),
        "{message}"
    );
}
