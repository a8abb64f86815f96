//! The operator's side: what Prometheus, probes and people see and may change. It runs on the
//! main thread and asks the observer through [`observe::command`](crate::observe::command).
//!
//! `router` has the one table of routes; `access` decides who may change something; `headers` are
//! what browsers are told; `scrapes` are the metrics on their way to slow clients; `probes` are
//! health, readiness and liveness; `drift` answers with verdicts, which `judge` makes, on
//! demand and on a schedule; `baselines` shows what
//! these are compared with, which `keeper` holds; `models` lists what was seen of each model; `dashboard` is the live page;
//! `feedback` takes labels and says what they say of the model; `prober` finds out what the upstream says of its model; `admin`
//! reloads the configuration.

mod access;
mod admin;
mod baselines;
pub mod dashboard;
mod drift;
mod feedback;
mod headers;
mod judge;
mod keeper;
mod models;
mod prober;
mod probes;
mod router;
mod scrapes;

use std::{future::Future, sync::Arc};

use tokio::{
    net::TcpListener,
    sync::{Mutex, mpsc, watch},
};

pub use admin::{ReloadOutcome, ReloadRequest};
pub use dashboard::{Dashboard, remember_drifts};
pub use judge::{Judge, check_on_schedule, save_windows_on_schedule};
pub use keeper::{Keeper, Unchanged};
pub use prober::probe_upstream;
pub use router::{ROUTES, Route};
pub use scrapes::Scrapes;

use crate::{
    config, drain,
    feedback::Desk,
    health::Health,
    http::{self, Limits},
    metrics::{Metrics, catalogue},
    observe::command::Handle,
    tls,
};

/// Connections of the operator's port: a few scrapers, probes and people, and pages, which stay.
const MAX_CONNECTIONS: usize = 128 + dashboard::PAGES;

/// What the operator's side goes by and a reload can change.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Who may change something.
    pub ops: config::Ops,
    /// How the upstream is asked for its model.
    pub model: config::Model,
    /// How the upstream is reached, where that is over TLS.
    pub upstream_tls: Option<tls::Client>,
    /// The version of HTTP that the upstream is asked in.
    pub upstream_protocol: config::UpstreamProtocol,
    /// Schedule of verdicts, bound of baselines.
    pub drift: config::Drift,
    /// Schedule of savings.
    pub state: config::State,
}

impl Settings {
    /// Those of a configuration, whose upstream is reached by `upstream_tls`.
    pub fn new(config: &config::Config, upstream_tls: Option<tls::Client>) -> Self {
        Self {
            ops: config.ops.clone(),
            model: config.model.clone(),
            upstream_tls,
            upstream_protocol: config.proxy.upstream_protocol,
            drift: config.drift.clone(),
            state: config.state.clone(),
        }
    }
}

/// The parts of the agent that the operator's routes answer from.
pub struct Ops {
    /// What is exported.
    pub metrics: Arc<Metrics>,
    /// What the upstream last said, and the data threads.
    pub health: Arc<Health>,
    /// The way to the observer.
    pub observer: Handle,
    /// Whether the agent is on its way out, and the way to have it begin.
    pub drain: drain::Drain,
    /// Replaced whole by a reload.
    pub settings: watch::Receiver<Arc<Settings>>,
    /// Baselines and where they are kept.
    pub keeper: Arc<Mutex<Keeper>>,
    /// Makes verdicts.
    pub judge: Judge,
    /// Renderings that are on their way.
    pub scrapes: Scrapes,
    /// What pages share.
    pub dashboard: Dashboard,
    /// Where labels are posted; `None`: `feedback.enabled` is not set.
    pub desk: Option<Desk>,
    /// Where a reload is asked for.
    pub reload: mpsc::Sender<ReloadRequest>,
}

/// Answers on `listener` until `stop`, then finishes what is in flight.
pub async fn serve(ops: Arc<Ops>, listener: TcpListener, stop: impl Future<Output = ()>) {
    let limits = Limits {
        body: ops.settings.borrow().ops.body_limit,
        connections: MAX_CONNECTIONS,
        ..Limits::default()
    };
    let panics = ops.metrics.counter(&catalogue::PANICS, &["ops"]);
    http::serve(listener, router::Door(ops), limits, panics, stop).await;
}
