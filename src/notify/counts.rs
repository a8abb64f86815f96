//! What became of notices. Every notice to every receiver is counted once, or waits.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use ::metrics::{Counter, Gauge};

use crate::metrics::{Metrics, catalogue};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Delivered,
    Refused,
    GivenUp,
    Dropped,
}

impl Outcome {
    const ALL: [Self; 4] = [Self::Delivered, Self::Refused, Self::GivenUp, Self::Dropped];

    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Refused => "refused",
            Self::GivenUp => "given_up",
            Self::Dropped => "dropped",
        }
    }
}

#[derive(Clone)]
pub(super) struct Counts {
    ended: [Counter; 4],
    retries: Counter,
    waiting: Gauge,
    lost: Arc<AtomicU64>,
}

impl Counts {
    pub(super) fn new(metrics: &Metrics) -> Self {
        let ended = Outcome::ALL.map(|o| metrics.counter(&catalogue::NOTIFICATIONS, &[o.label()]));
        let waiting = metrics.gauge(&catalogue::NOTIFICATIONS_WAITING, &[]);
        waiting.set(0.0);
        Self {
            ended,
            retries: metrics.counter(&catalogue::NOTIFICATION_RETRIES, &[]),
            waiting,
            lost: Arc::default(),
        }
    }

    pub(super) fn queued(&self) {
        self.waiting.increment(1.0);
    }

    pub(super) fn retried(&self) {
        self.retries.increment(1);
    }

    /// One that was queued waits no longer.
    pub(super) fn ended(&self, outcome: Outcome) {
        self.waiting.decrement(1.0);
        self.ended[outcome as usize].increment(1);
        if outcome != Outcome::Delivered {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Those that were not delivered so far.
    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

/// One that is in somebody's hands; dropped, as by a panic, it counts as dropped.
pub(super) struct InHand<'a> {
    counts: &'a Counts,
    outcome: Outcome,
}

impl<'a> InHand<'a> {
    pub(super) fn new(counts: &'a Counts) -> Self {
        Self {
            counts,
            outcome: Outcome::Dropped,
        }
    }

    pub(super) fn ended(mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        self.counts.ended(self.outcome);
    }
}
