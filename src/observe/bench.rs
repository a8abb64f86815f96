//! What benches measure of the observer, and nobody else should name: the parts of the thread are
//! private, and a bench is a crate of its own. Only with the feature `bench`.

use std::sync::Arc;

use super::{
    access_log::{AccessLog, Seen},
    record::{Outcome, Record},
};
use crate::{
    capture::Exchange,
    config,
    decode::Inference,
    metrics::Metrics,
    telemetry::{Common, Sink},
};

/// An exchange with these bodies, as the proxy hands it over.
pub fn exchange(path: &str, request: &str, response: &str) -> Exchange {
    Exchange::example(path, request, response)
}

/// The counters of inferences.
pub struct Counts(Record);

impl Counts {
    /// Into `metrics`, within the default bounds.
    pub fn new(metrics: Metrics) -> Self {
        Self(Record::new(Arc::new(metrics), config::defaults().metrics))
    }

    /// Counts one exchange and what it predicted.
    pub fn record(&mut self, exchange: &Exchange, inference: &Inference) {
        self.0.outcome(Outcome::Decoded);
        let labels = self.0.identity("iris", "1.0.0");
        self.0.predictions(inference, exchange, labels);
    }
}

/// The log of exchanges.
pub struct Lines(AccessLog);

impl Lines {
    /// Into a sink that forgets them; everything of an exchange in one line.
    ///
    /// # Errors
    /// When the system gives no thread or no random bytes.
    pub fn new() -> std::io::Result<Self> {
        let (sink, _) = Sink::start(std::io::sink(), 16 << 20)?;
        let log = config::Log {
            lines: config::Lines::One,
            ..config::defaults().log
        };
        AccessLog::new(sink, log, Common::default()).map(Self)
    }

    /// Writes the line of one exchange.
    pub fn write(&mut self, exchange: &Exchange, inference: &Inference) {
        let seen = Seen {
            inference,
            model: "iris",
            version: "1.0.0",
        };
        self.0.write(exchange, Some(seen));
    }
}
