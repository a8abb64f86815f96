//! The configuration read again: on SIGHUP, when its file changes, when an operator asks.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::{
    signal::unix::Signal,
    sync::{Mutex, mpsc, watch},
};

use super::level_filter;
use crate::{
    config::{self, Config, Sources, reload},
    metrics::{Metrics, catalogue},
    observe::{
        command::{Handle, Unavailable},
        worker,
    },
    ops::{self, ReloadOutcome, ReloadRequest},
    proxy,
    telemetry::events::LevelHandle,
};

/// Pause before the observer is asked again.
const AGAIN: Duration = Duration::from_millis(20);

/// What is told when settings change.
pub(super) struct Reloader {
    pub(super) sources: Sources,
    pub(super) config: Config,
    pub(super) path: watch::Sender<Arc<proxy::Settings>>,
    pub(super) ops: watch::Sender<Arc<ops::Settings>>,
    pub(super) observer: Handle,
    pub(super) level: LevelHandle,
    pub(super) metrics: Arc<Metrics>,
}

impl Reloader {
    /// Reads all sources again; applies what can change live, whole or not at all.
    async fn reload(&mut self) -> ReloadOutcome {
        let outcome = match self.sources.load() {
            Ok(loaded) => self.take(&loaded.config).await,
            Err(errors) => ReloadOutcome::Refused {
                errors: errors.0.iter().map(ToString::to_string).collect(),
            },
        };
        self.metrics
            .counter(&catalogue::CONFIG_RELOADS, &[outcome.label()])
            .increment(1);
        report(&outcome);
        outcome
    }

    async fn take(&mut self, read: &Config) -> ReloadOutcome {
        let (config, needs_restart) = reload::merge_live(&self.config, read);
        let needs_restart = needs_restart.into_iter().map(str::to_owned).collect();
        let changed = reload::diff(&self.config, &config);
        if changed.is_empty() {
            return ReloadOutcome::Unchanged { needs_restart };
        }
        self.config = config;
        self.apply().await;
        let changed = changed.into_iter().map(str::to_owned).collect();
        ReloadOutcome::Applied {
            changed,
            needs_restart,
        }
    }

    async fn apply(&self) {
        let Config {
            proxy,
            capture,
            routes,
            log,
            ..
        } = &self.config;
        let path = proxy::Settings::new(proxy, capture, routes);
        self.path.send_replace(Arc::new(path));
        self.ops
            .send_replace(Arc::new(ops::Settings::new(&self.config)));
        // it fails only after the subscriber is gone
        let _ = self.level.modify(|level| *level = level_filter(log.level));
        let settings = worker::Settings::new(&self.config);
        while self.observer.apply(settings.clone()) == Err(Unavailable::Busy) {
            tokio::time::sleep(AGAIN).await;
        }
    }

    fn files(&self) -> Vec<PathBuf> {
        let token = self.config.ops.token_file.clone();
        self.sources.file.iter().cloned().chain(token).collect()
    }
}

fn report(outcome: &ReloadOutcome) {
    let list = |keys: &[String]| keys.join(" ");
    match outcome {
        ReloadOutcome::Applied {
            changed,
            needs_restart,
        } => tracing::info!(
            changed = list(changed),
            needs_restart = list(needs_restart),
            "configuration reloaded"
        ),
        ReloadOutcome::Unchanged { needs_restart } if needs_restart.is_empty() => {
            tracing::info!("configuration unchanged");
        }
        ReloadOutcome::Unchanged { needs_restart } => tracing::warn!(
            needs_restart = list(needs_restart),
            "configuration changes wait for a restart"
        ),
        ReloadOutcome::Refused { errors } => tracing::error!(
            errors = errors.join("; "),
            "configuration refused, the one in use stays"
        ),
    }
}

/// Reloads when an operator asks.
pub(super) async fn on_request(
    reloader: Arc<Mutex<Reloader>>,
    mut requests: mpsc::Receiver<ReloadRequest>,
) {
    while let Some(reply) = requests.recv().await {
        // whoever asked may have left
        let _ = reply.send(reloader.lock().await.reload().await);
    }
}

/// Reloads on each SIGHUP.
pub(super) async fn on_hangup(reloader: Arc<Mutex<Reloader>>, mut hangup: Signal) {
    while hangup.recv().await.is_some() {
        reloader.lock().await.reload().await;
    }
}

/// Reloads when a file it is read from has other content.
pub(super) async fn on_change(reloader: Arc<Mutex<Reloader>>) {
    let files = reloader.lock().await.files();
    let mut watch = config::Watch::new(files);
    loop {
        watch.changed().await;
        reloader.lock().await.reload().await;
    }
}
