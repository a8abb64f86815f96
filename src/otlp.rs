//! OpenTelemetry: metrics, logs and traces, exported to a collector by OTLP over HTTP.
//!
//! In a build with the feature `otlp` alone. What is exported is known already: a scrape of our own, the
//! lines of the log, one span for each exchange. Whoever knows it hands it over and never waits; what there
//! is no room for is dropped and counted. Each signal has a courier of its own on the main thread, and a
//! thread for what takes longer, to encode and compress. `exposition` reads a scrape, `points` makes points
//! of it, `scrape` brings them; `sender` tries again, `settings` says where to, `proto` is the
//! protocol. Nothing of a header or of the endpoint's path is logged.
//! Emits `sidelight_otlp_exported_total`, `sidelight_otlp_retries_total`.

mod counts;
mod exposition;
mod points;
pub mod proto;
mod scrape;
mod sender;
mod settings;

pub use settings::Settings;

use std::{
    future::Future,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use ::metrics::Counter;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};

use self::{counts::Counts, scrape::Scraper, sender::Sender};
use crate::{
    config::{Config, Signal},
    metrics::{Metrics, catalogue},
    panics::contained,
    post::Unusable,
};

/// How long what waits may be tried when the agent leaves.
const LAST_TRIES: Duration = Duration::from_secs(2);
/// Pause after a panic: one that comes back must not fill the log.
const AFTER_PANIC: Duration = Duration::from_millis(500);

/// What runs until it is [finished](Self::finish).
#[derive(Debug)]
pub struct Exporter {
    couriers: Vec<JoinHandle<()>>,
    leaving: watch::Sender<bool>,
}

/// Replaces the collector while what waits goes on.
#[derive(Debug)]
pub struct Changes {
    settings: watch::Sender<Arc<Settings>>,
}

impl Changes {
    /// Goes by other settings from now on.
    pub fn replace(&self, settings: Settings) {
        self.settings.send_replace(Arc::new(settings));
    }
}

/// Begins to export as `config` says, on the runtime of the caller.
///
/// # Errors
/// As [`Settings::new`].
pub fn start(config: &Config, metrics: &Arc<Metrics>) -> Result<(Exporter, Changes), Unusable> {
    let (settings, watched) = watch::channel(Arc::new(Settings::new(config)?));
    let (leaving, leave) = watch::channel(false);
    let panics = metrics.counter(&catalogue::PANICS, &["otlp"]);
    let sender = |signal| {
        let counts = Counts::new(metrics, signal);
        Sender::new(signal, watched.clone(), leave.clone(), counts)
    };
    let scraper = Scraper::new(sender(Signal::Metrics), Arc::clone(metrics), panics.clone());
    let couriers = vec![kept_up(panics, scraper)];
    let exporter = Exporter { couriers, leaving };
    Ok((exporter, Changes { settings }))
}

impl Exporter {
    /// Tries what waits once more, for 2 s at most, and ends.
    pub async fn finish(mut self) {
        self.leaving.send_replace(true);
        let last = async {
            for courier in &mut self.couriers {
                // it ends by a panic at worst
                let _ = courier.await;
            }
        };
        if timeout(LAST_TRIES, last).await.is_err() {
            for courier in &mut self.couriers {
                courier.abort();
            }
            tracing::warn!("the collector has not taken what waited");
        }
    }
}

/// Brings one signal.
trait Courier: Send + 'static {
    /// Until the agent leaves.
    fn run(&mut self) -> impl Future<Output = ()> + Send;
}

/// Has `courier` run to its end; after a panic, which is counted, and a pause, again.
fn kept_up(panics: Counter, mut courier: impl Courier) -> JoinHandle<()> {
    tokio::spawn(async move {
        while contained(&panics, courier.run()).await.is_err() {
            sleep(AFTER_PANIC).await;
        }
    })
}

/// Nanoseconds.
fn since_1970() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX)
}
