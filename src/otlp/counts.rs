//! What became of points, lines and spans. Each is counted once, or waits.

use ::metrics::Counter;

use crate::{
    config::Signal,
    metrics::{Metrics, catalogue},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Exported,
    Rejected,
    GivenUp,
    Dropped,
}

impl Outcome {
    const ALL: [Self; 4] = [Self::Exported, Self::Rejected, Self::GivenUp, Self::Dropped];

    const fn label(self) -> &'static str {
        match self {
            Self::Exported => "exported",
            Self::Rejected => "rejected",
            Self::GivenUp => "given_up",
            Self::Dropped => "dropped",
        }
    }
}

/// The counters of one signal.
#[derive(Clone)]
pub(super) struct Counts {
    ended: [Counter; Outcome::ALL.len()],
    retries: Counter,
}

impl Counts {
    pub(super) fn new(metrics: &Metrics, signal: Signal) -> Self {
        let ended = Outcome::ALL.map(|outcome| {
            metrics.counter(&catalogue::OTLP_EXPORTED, &[signal.word(), outcome.label()])
        });
        Self {
            ended,
            retries: metrics.counter(&catalogue::OTLP_RETRIES, &[signal.word()]),
        }
    }

    pub(super) fn ended(&self, outcome: Outcome, records: u64) {
        self.ended[outcome as usize].increment(records);
    }

    pub(super) fn retried(&self) {
        self.retries.increment(1);
    }
}

/// Records that are in somebody's hands; what is left of them when this is dropped, as by a panic, counts
/// as dropped.
pub(super) struct InHand<'a> {
    counts: &'a Counts,
    left: u64,
}

impl<'a> InHand<'a> {
    pub(super) fn new(counts: &'a Counts, records: u64) -> Self {
        Self {
            counts,
            left: records,
        }
    }

    /// So many of them, or all that are left.
    pub(super) fn some(&mut self, outcome: Outcome, records: u64) {
        let records = records.min(self.left);
        self.left -= records;
        self.counts.ended(outcome, records);
    }

    pub(super) fn all(mut self, outcome: Outcome) {
        self.some(outcome, self.left);
    }
}

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        self.some(Outcome::Dropped, self.left);
    }
}
