//! Counts requests that passed some time ago, as they were counted then.

use std::{sync::Arc, time::Duration};

use super::{
    endpoint::{Endpoints, Learned},
    failure::Failure,
};
use crate::{
    capture::Exchange,
    config,
    metrics::{Metrics, catalogue},
};

/// The counters of requests of the past.
pub struct Past {
    endpoints: Endpoints,
    metrics: Arc<Metrics>,
}

impl Past {
    /// Counts in `metrics`, within these bounds.
    pub fn new(metrics: &Arc<Metrics>, bounds: &config::Metrics) -> Self {
        let learned = Arc::new(Learned::new(bounds.max_endpoints));
        Self {
            endpoints: Endpoints::new(learned, Arc::clone(metrics)),
            metrics: Arc::clone(metrics),
        }
    }

    /// Counts one, and notes its endpoint. `duration`: where it is known. `is_answered`: the status is that
    /// of the upstream's answer.
    pub fn count(&self, exchange: &mut Exchange, duration: Option<Duration>, is_answered: bool) {
        let exists = is_answered && matches!(exchange.status, 200..400 | 422);
        let endpoint = match (&exchange.route, exchange.path.as_str()) {
            (Some(route), _) => self.endpoints.named(&route.endpoint),
            (None, "") => self.endpoints.other(),
            (None, path) => self.endpoints.of_path(path, exists),
        };
        exchange.endpoint = Arc::clone(&endpoint.name);
        let method = exchange.method.as_ref();
        endpoint.requests(method, exchange.status).increment(1);
        if let Some(duration) = duration {
            endpoint.duration().record(duration.as_secs_f64());
        }
        if let (Some(error), Some(fault)) = (exchange.error, exchange.fault) {
            let labels = [fault.label(), error];
            self.metrics
                .counter(&catalogue::FAILURES, &labels)
                .increment(1);
        }
    }
}

/// The reason why there was no whole answer that has this name; one that no version of ours has is
/// `unknown`.
pub fn reason(name: &str) -> &'static str {
    let all = Failure::ALL.iter().map(|failure| failure.reason());
    all.into_iter()
        .find(|known| *known == name)
        .unwrap_or("unknown")
}
