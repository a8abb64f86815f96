//! The observer without a thread: what it would have made of exchanges of the past, at their own times.

use std::sync::Arc;

use super::{Begin, Outcome, Seen, Settings, Worker};
use crate::{
    capture::{Exchange, policy::Interest, queue},
    config,
    decode::{self, Inference},
    drift::{Baselines, CheckInput, Key, SeriesName},
    metrics::Metrics,
    observe::{
        board::Board,
        command::{Captured, Judged, Which},
    },
    telemetry::Sink,
};

/// An observer that is told of one exchange after the other.
pub struct Observer {
    worker: Worker,
    /// Whose predictions count.
    wanted: Key,
}

/// What somebody else has read of an exchange.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    /// What it says.
    pub inference: &'a Inference,
    /// The model, as in its label.
    pub model: &'a str,
    /// Its version, as in its label.
    pub version: &'a str,
    /// Series of which it is not told what they were: nothing of them is missing.
    pub withheld: &'a [SeriesName],
}

impl Observer {
    /// One that counts in `metrics` and writes lines to `sink`, as `settings` say. Predictions of others
    /// than those `wanted` do not count.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn new(
        metrics: Arc<Metrics>,
        sink: Sink,
        settings: Settings,
        begin: Begin,
        wanted: Key,
    ) -> std::io::Result<Self> {
        // nothing ever waits in it
        let (_, take) = queue::queue(&settings.capture);
        let worker = Worker::new(take, metrics, sink, settings, begin)?;
        Ok(Self { worker, wanted })
    }

    /// Reads an exchange and takes what it says.
    pub fn observe(&mut self, exchange: &mut Exchange) {
        let Self { worker, wanted } = self;
        if exchange.fault.is_some() {
            worker.unpanicked(|worker| {
                exchange.fault = decode::blame(exchange, &worker.capture);
            });
        }
        worker.record.fault(exchange.fault);
        if exchange.interest != Interest::Bodies {
            return worker.unpanicked(|worker| worker.write(exchange, None));
        }
        let (outcome, mut inference) = worker.read(exchange);
        worker.unpanicked(|worker| {
            if let Some(inference) = &mut inference {
                inference.sample(worker.decode.max_items);
                worker.tasks.join(inference, exchange);
                worker.numbers.settle(inference, exchange, &worker.model);
            }
            let (model, version) = decode::identity(inference.as_ref(), exchange, &worker.model);
            if is_wanted(wanted, model, version) {
                worker.tell(exchange, inference.as_ref());
            }
        });
        worker.record.outcome(outcome);
    }

    /// Takes what was said of an exchange; `None`: no prediction.
    pub fn take(&mut self, exchange: &Exchange, said: Option<Said<'_>>) {
        let Self { worker, wanted } = self;
        worker.record.fault(exchange.fault);
        let is_read = said.is_some();
        let said = said.filter(|said| is_wanted(wanted, said.model, said.version));
        worker.unpanicked(|worker| {
            let seen = said.map(|said| Seen {
                inference: said.inference,
                model: said.model,
                version: said.version,
            });
            let withheld = said.map_or(&[][..], |said| said.withheld);
            worker.say(exchange, seen, withheld);
        });
        if is_read {
            worker.record.outcome(Outcome::Decoded);
        }
    }

    /// Names for what names neither model nor version.
    pub fn model(&self) -> &config::Model {
        &self.worker.model
    }

    /// Replaces the baselines at `now`, in seconds since 1970.
    pub fn use_baselines(&mut self, baselines: Baselines, now: f64) {
        self.worker.record.use_baselines(baselines.clone());
        self.worker.series.use_baselines_at(baselines, now);
    }

    /// Baselines that have been gathered since the last time.
    pub fn captured(&mut self) -> Vec<Captured> {
        self.worker.series.captured()
    }

    /// Copies of recent confidences of all that serve: a scheduled check.
    pub fn copy(&mut self) -> Vec<CheckInput> {
        self.worker.series.copy(Which::All)
    }

    /// Takes the verdicts of that check.
    pub fn judge(&mut self, verdicts: Vec<Judged>) {
        self.worker.series.judge(verdicts);
    }

    /// What a live page would show now.
    pub fn board(&self) -> Board {
        self.worker.board()
    }

    /// Shows in a scrape what is known now, and hands over lines.
    pub fn publish(&mut self) {
        self.worker.series.table_is_due();
        self.worker.publish();
        self.worker.log.flush_if_due(true);
    }
}

fn is_wanted(wanted: &Key, model: &str, version: &str) -> bool {
    let fits = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|w| w == found);
    fits(&wanted.model, model) && fits(&wanted.version, version)
}
