//! The courier of the metrics: a scrape of our own at each interval.

use std::sync::{Arc, Mutex, PoisonError};

use ::metrics::Counter;
use tokio::time::{Instant, sleep_until};

use super::{
    Courier,
    counts::InHand,
    points::Snapshots,
    proto::{MetricsRequest, ResourceMetrics, ScopeMetrics},
    sender::Sender,
    settings::{Letter, Settings},
    since_1970,
};
use crate::{
    config::Signal,
    metrics::Metrics,
    panics::{contain, hook},
};

pub(super) struct Scraper {
    pub(super) sender: Sender,
    pub(super) metrics: Arc<Metrics>,
    /// A snapshot is made on another thread, one at a time.
    snapshots: Arc<Mutex<Snapshots>>,
    panics: Counter,
    due: Instant,
}

impl Courier for Scraper {
    async fn run(&mut self) {
        while self.is_due().await {
            hook("otlp");
            self.export().await;
        }
        // what happened since, whatever was on its way
        self.export().await;
    }
}

impl Scraper {
    pub(super) fn new(sender: Sender, metrics: Arc<Metrics>, panics: Counter) -> Self {
        let due = Instant::now() + sender.settings.borrow().interval;
        Self {
            sender,
            metrics,
            snapshots: Arc::new(Mutex::new(Snapshots::new(since_1970()))),
            panics,
            due,
        }
    }

    /// Waits until the next are due; `false`: the agent leaves.
    async fn is_due(&mut self) -> bool {
        loop {
            let start = self.due.max(self.sender.not_before());
            tokio::select! {
                biased;
                _ = self.sender.leaving.wait_for(|leaving| *leaving) => return false,
                Ok(()) = self.sender.settings.changed() => {
                    // an interval of an hour that is one of a second now
                    let soon = Instant::now() + self.sender.settings.borrow_and_update().interval;
                    self.due = self.due.min(soon);
                }
                () = sleep_until(start) => return true,
            }
        }
    }

    async fn export(&mut self) {
        let settings = Arc::clone(&self.sender.settings.borrow_and_update());
        self.due = Instant::now() + settings.interval;
        if !settings.wants(Signal::Metrics) {
            return;
        }
        let Some((letter, points)) = self.snapshot(settings).await else {
            return;
        };
        let counts = self.sender.counts.clone();
        let hand = InHand::new(&counts, points);
        self.sender.deliver(&letter, hand, self.due).await;
    }

    /// What a scrape of now says, and how many points that is. A large one takes milliseconds.
    async fn snapshot(&self, settings: Arc<Settings>) -> Option<(Letter, u64)> {
        let (metrics, panics) = (Arc::clone(&self.metrics), self.panics.clone());
        let snapshots = Arc::clone(&self.snapshots);
        let making = tokio::task::spawn_blocking(move || {
            contain(&panics, || {
                let mut snapshots = snapshots.lock().unwrap_or_else(PoisonError::into_inner);
                let now = since_1970();
                let (metrics, points) = snapshots.next(&metrics.render(), now);
                let letter = settings.letter(&request(&settings, metrics)).ok()?;
                Some((letter, points))
            })
        });
        making.await.ok()?.ok()?
    }
}

fn request(settings: &Settings, metrics: Vec<super::proto::Metric>) -> MetricsRequest {
    let (resource, scope) = settings.origin();
    MetricsRequest {
        resource_metrics: vec![ResourceMetrics {
            resource,
            scope_metrics: vec![ScopeMetrics { scope, metrics }],
        }],
    }
}
