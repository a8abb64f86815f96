//! OpenTelemetry: metrics, logs and traces, exported to a collector by OTLP over HTTP.
//!
//! In a build with the feature `otlp` alone. What is exported is known already: a scrape of our own, the
//! lines of the log, one span for each exchange. Whoever knows it hands it over and never waits; what there
//! is no room for is dropped and counted. Each signal has a courier of its own on the main thread, and a
//! thread for what takes longer, to encode and compress. `points` makes points of a scrape, `scrape`
//! brings them; `outlet` is where lines and spans are handed over, `queue` what waits of them,
//! `lines` and `spans` what becomes of them, `ship` brings them; `sender` tries again, `settings` says where to, `proto` is the
//! protocol. Nothing of a header or of the endpoint's path is logged.
//! Emits `sidelight_otlp_exported_total`, `sidelight_otlp_retries_total`, `sidelight_otlp_queue_records`,
//! `sidelight_otlp_queue_bytes`.

mod counts;
mod lines;
mod outlet;
mod points;
pub mod proto;
mod queue;
mod scrape;
mod sender;
mod settings;
mod ship;
mod spans;

pub use outlet::{Context, Line, Outlet, Seen, Span};
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

use self::{counts::Counts, scrape::Scraper, sender::Sender, ship::Shipper};
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
    outlet: Outlet,
}

/// Replaces the collector while what waits goes on.
#[derive(Debug)]
pub struct Changes {
    settings: watch::Sender<Arc<Settings>>,
    outlet: Outlet,
}

impl Changes {
    /// Goes by other settings from now on.
    pub fn replace(&self, settings: Settings) {
        self.outlet.apply(&settings);
        self.settings.send_replace(Arc::new(settings));
    }
}

/// What runs, the way to change it, and where lines and spans are handed over.
pub type Parts = (Exporter, Changes, Outlet);

/// Begins to export as `config` says, on the runtime of the caller. `place`: as for [`Settings::new`].
///
/// # Errors
/// As [`Settings::new`].
pub fn start(
    config: &Config,
    place: &[(&str, String)],
    metrics: &Arc<Metrics>,
) -> Result<Parts, Unusable> {
    let settings = Settings::new(config, place)?;
    let counts = Signal::ALL.map(|signal| Counts::new(metrics, signal));
    let [_, lines, spans] = &counts;
    let outlet = Outlet::new(lines, spans, &settings);
    outlet.show(metrics);
    let (settings, watched) = watch::channel(Arc::new(settings));
    let (leaving, leave) = watch::channel(false);
    let panics = metrics.counter(&catalogue::PANICS, &["otlp"]);
    let sender = |signal: Signal| {
        let counts = counts[signal as usize].clone();
        Sender::new(signal, watched.clone(), leave.clone(), counts)
    };
    let scraper = Scraper::new(sender(Signal::Metrics), Arc::clone(metrics), panics.clone());
    let mut couriers = vec![kept_up(panics.clone(), scraper)];
    if let Some((lines, spans)) = outlet.queues() {
        let lines = Shipper::new(sender(Signal::Logs), lines, panics.clone());
        let spans = Shipper::new(sender(Signal::Traces), spans, panics.clone());
        couriers.extend([kept_up(panics.clone(), lines), kept_up(panics, spans)]);
    }
    let exporter = Exporter {
        couriers,
        leaving,
        outlet: outlet.clone(),
    };
    let changes = Changes {
        settings,
        outlet: outlet.clone(),
    };
    Ok((exporter, changes, outlet))
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
                // those that have ended must not be asked again
                if !courier.is_finished() {
                    courier.abort();
                    let _ = courier.await;
                }
            }
            self.outlet.clear();
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
