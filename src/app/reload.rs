//! The configuration read again: on SIGHUP, when its file changes, when an operator asks.

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use ::metrics::Counter;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::{Mutex, mpsc, watch},
    task::JoinSet,
    time::timeout,
};

#[cfg(feature = "otlp")]
use super::pod::Pod;
use super::{
    baseline_files::{self, BaselineFiles},
    level_filter,
    tls::Ends,
};
#[cfg(feature = "otlp")]
use crate::otlp;
use crate::{
    config::{self, Config, ConfigErrors, Loaded, Sources, Watch, reload},
    feedback::{self, Desk},
    metrics::{Metrics, catalogue},
    notify,
    observe::{command::Handle, worker},
    ops::{self, Keeper, ReloadOutcome, ReloadRequest},
    panics::{contain, contained, hook},
    proxy,
    telemetry::{FileLog, FileSettings, events::LevelHandle},
    tls,
};

/// The key of files that may change while their names do not.
const BASELINE_FILES: &str = "drift.baseline_files";

/// Longest wait for the files.
const READING: Duration = Duration::from_secs(5);

/// What is told when settings change.
pub(super) struct Reloader {
    pub(super) sources: Sources,
    pub(super) config: Config,
    pub(super) tls: Ends,
    pub(super) path: watch::Sender<Arc<proxy::Settings>>,
    pub(super) notify: notify::Sender,
    #[cfg(feature = "otlp")]
    pub(super) export: otlp::Changes,
    pub(super) ops: watch::Sender<Arc<ops::Settings>>,
    pub(super) observer: Handle,
    pub(super) desk: Option<Desk>,
    pub(super) keeper: Arc<Mutex<Keeper>>,
    pub(super) baseline_files: BaselineFiles,
    pub(super) level: LevelHandle,
    pub(super) log_file: FileLog,
    pub(super) drain: watch::Sender<config::Drain>,
    pub(super) files: watch::Sender<Vec<PathBuf>>,
    pub(super) metrics: Arc<Metrics>,
}

impl Reloader {
    /// Panics of reloads.
    pub(super) fn panics(metrics: &Metrics) -> Counter {
        metrics.counter(&catalogue::PANICS, &["reload"])
    }

    /// Shows counts of reloads before there are any.
    pub(super) fn count_from_nothing(metrics: &Metrics) {
        drop(Self::panics(metrics));
        for outcome in ReloadOutcome::LABELS {
            drop(metrics.counter(&catalogue::CONFIG_RELOADS, &[outcome]));
        }
        metrics.gauge(&catalogue::CONFIG_LAST_RELOAD, &[]).set(1.0);
    }

    /// Reads all sources again; applies what can change live, whole or not at all.
    async fn reload(&mut self) -> ReloadOutcome {
        let outcome = match self.read().await {
            Ok((loaded, files)) => self.take(&loaded, files).await,
            Err(errors) => ReloadOutcome::Refused { errors },
        };
        self.metrics
            .counter(&catalogue::CONFIG_RELOADS, &[outcome.label()])
            .increment(1);
        let is_refused = matches!(outcome, ReloadOutcome::Refused { .. });
        self.metrics
            .gauge(&catalogue::CONFIG_LAST_RELOAD, &[])
            .set(if is_refused { 0.0 } else { 1.0 });
        report(&outcome);
        outcome
    }

    /// All sources anew. A network file system may keep a read waiting: not on this thread.
    async fn read(&self) -> Result<(Loaded, BaselineFiles), Vec<String>> {
        let (sources, before) = (self.sources.clone(), self.baseline_files.clone());
        let panics = Self::panics(&self.metrics);
        let reading = tokio::task::spawn_blocking(move || {
            contain(&panics, || {
                let loaded = sources.load_with(tls::examine)?;
                let (files, refused) = BaselineFiles::read(&loaded.config, &before);
                Ok((loaded, files, refused))
            })
        });
        match timeout(READING, reading).await {
            Ok(Ok(Ok(Ok((loaded, files, refused))))) => {
                baseline_files::report(&refused);
                Ok((loaded, files))
            }
            Ok(Ok(Ok(Err(errors)))) => Err(in_words(&errors)),
            Ok(_) => Err(vec!["the configuration could not be read".to_owned()]),
            Err(_) => Err(vec![format!("no file came within {} s", READING.as_secs())]),
        }
    }

    async fn take(&mut self, read: &Loaded, files: BaselineFiles) -> ReloadOutcome {
        let (config, needs_restart) = reload::merge_live(&self.config, &read.config);
        let needs_restart = needs_restart.into_iter().map(str::to_owned).collect();
        let mut changed = reload::diff(&self.config, &config);
        if files != self.baseline_files && !changed.contains(&BASELINE_FILES) {
            // the same names with other contents
            changed.push(BASELINE_FILES);
        }
        if changed.is_empty() {
            return ReloadOutcome::Unchanged { needs_restart };
        }
        if let Err(errors) = config::holds(&config) {
            // a live key does not go together with one that waits for a restart
            let errors = in_words(&errors);
            return ReloadOutcome::Refused { errors };
        }
        if let Err(error) = self.apply(&config, files).await {
            let errors = vec![format!("{error:#}")];
            return ReloadOutcome::Refused { errors };
        }
        self.config = config;
        for warning in &read.warnings {
            tracing::warn!(detail = warning.as_str(), "configuration");
        }
        let changed = changed.into_iter().map(str::to_owned).collect();
        ReloadOutcome::Applied {
            changed,
            needs_restart,
        }
    }

    /// What can refuse comes first, and then nothing has changed: certificates, the observer.
    async fn apply(&mut self, config: &Config, baselines: BaselineFiles) -> anyhow::Result<()> {
        let tls = self.tls.renewed(&self.config, config).await?;
        let receivers = self.receivers(config).await?;
        #[cfg(feature = "otlp")]
        let collector = self.collector(config).await?;
        if baselines != self.baseline_files {
            let mut keeper = self.keeper.lock().await;
            keeper.use_files(baselines.baselines()).await?;
            self.baseline_files = baselines;
        }
        let settings = worker::Settings::new(config);
        self.observer.apply(settings).await?;
        if let Some(desk) = &self.desk {
            desk.apply(feedback::Settings::new(config)).await?;
        }
        let path = proxy::Settings::new(config, tls.server.clone(), tls.upstream.clone());
        self.path.send_replace(Arc::new(path));
        let asking = ops::Settings::new(config, tls.upstream.clone());
        self.ops.send_replace(Arc::new(asking));
        self.tls = tls;
        if let Some(receivers) = receivers {
            self.notify.send_replace(Arc::new(receivers));
        }
        #[cfg(feature = "otlp")]
        if let Some(collector) = collector {
            self.export.replace(collector);
        }
        // it fails only after the subscriber is gone
        let _ = self
            .level
            .modify(|level| *level = level_filter(config.log.level));
        self.drain.send_replace(config.drain.clone());
        self.apply_log_file(config).await;
        let files = files(&self.sources, config);
        self.files.send_if_modified(|watched| {
            let is_changed = *watched != files;
            *watched = files;
            is_changed
        });
        Ok(())
    }
}

impl Reloader {
    /// Where it is not what is in use. A disk that does not answer is the log's trouble alone.
    async fn apply_log_file(&self, config: &Config) {
        let settings = log_file(config);
        if settings == log_file(&self.config) {
            return;
        }
        let log_file = self.log_file.clone();
        let applying = tokio::task::spawn_blocking(move || log_file.apply(settings, READING));
        if let Ok(Err(error)) = applying.await {
            tracing::error!(%error, "log file");
        }
    }

    /// Those of `config`, where they are not those in use.
    async fn receivers(&self, config: &Config) -> anyhow::Result<Option<notify::Settings>> {
        if config.drift.notify == self.config.drift.notify {
            return Ok(None);
        }
        let targets = config.drift.notify.clone();
        let making = tokio::task::spawn_blocking(move || notify::Settings::new(&targets));
        Ok(Some(making.await??))
    }

    /// That of `config`, where it is not the one in use. Spans say whether clients speak TLS.
    #[cfg(feature = "otlp")]
    async fn collector(&self, config: &Config) -> anyhow::Result<Option<otlp::Settings>> {
        let (old, new) = (&self.config, config);
        if old.otlp == new.otlp && old.proxy.tls == new.proxy.tls {
            return Ok(None);
        }
        let (config, pod) = (config.clone(), Pod::of(&self.sources));
        let making =
            tokio::task::spawn_blocking(move || otlp::Settings::new(&config, &pod.attributes()));
        Ok(Some(making.await??))
    }
}

/// `log.file`, where there is one.
pub(super) fn log_file(config: &Config) -> Option<FileSettings> {
    let file = &config.log.file;
    Some(FileSettings {
        path: file.path.clone()?,
        max_size: u64::try_from(file.max_size).unwrap_or(u64::MAX),
        keep: file.keep,
    })
}

/// The files that a configuration is read from.
pub(super) fn files(sources: &Sources, config: &Config) -> Vec<PathBuf> {
    let token = config.ops.token_file.clone();
    let pem = config.pem_files().map(|(_, file)| file.path().to_owned());
    let own = sources.file.iter().cloned();
    let targets = config.drift.notify.iter();
    let secrets = targets.flat_map(config::Target::files).cloned();
    let fields = config.otlp.headers.iter();
    let fields = fields.filter_map(|(_, value)| value.file()).cloned();
    let secrets = secrets.chain(fields);
    own.chain(token).chain(pem).chain(secrets).collect()
}

fn in_words(errors: &ConfigErrors) -> Vec<String> {
    errors.0.iter().map(ToString::to_string).collect()
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

/// One reload. One that panics leaves what it has changed; the next changes the rest.
async fn reload(reloader: &Mutex<Reloader>) -> Option<ReloadOutcome> {
    let mut reloader = reloader.lock().await;
    let panics = Reloader::panics(&reloader.metrics);
    let reloading = async {
        hook("reload");
        reloader.reload().await
    };
    contained(&panics, reloading).await.ok()
}

/// Has `tasks` reload when a file has other content, when an operator asks, and on SIGHUP.
pub(super) fn listen(
    tasks: &mut JoinSet<()>,
    reloader: Reloader,
    (files, watch): (watch::Receiver<Vec<PathBuf>>, Watch),
    requests: mpsc::Receiver<ReloadRequest>,
) -> io::Result<()> {
    let reloader = Arc::new(Mutex::new(reloader));
    tasks.spawn(on_change(Arc::clone(&reloader), files, watch));
    tasks.spawn(on_request(Arc::clone(&reloader), requests));
    tasks.spawn(on_hangup(reloader, signal(SignalKind::hangup())?));
    Ok(())
}

/// Reloads when an operator asks.
async fn on_request(reloader: Arc<Mutex<Reloader>>, mut requests: mpsc::Receiver<ReloadRequest>) {
    while let Some(reply) = requests.recv().await {
        if let Some(outcome) = reload(&reloader).await {
            // whoever asked may have left
            let _ = reply.send(outcome);
        }
    }
}

/// Reloads on each SIGHUP.
async fn on_hangup(reloader: Arc<Mutex<Reloader>>, mut hangup: Signal) {
    while hangup.recv().await.is_some() {
        reload(&reloader).await;
    }
}

/// Reloads when a file it is read from has other content.
async fn on_change(
    reloader: Arc<Mutex<Reloader>>,
    mut files: watch::Receiver<Vec<PathBuf>>,
    mut watch: Watch,
) {
    loop {
        tokio::select! {
            () = watch.changed() => {
                reload(&reloader).await;
            }
            Ok(()) = files.changed() => watch = Watch::new(files.borrow_and_update().clone()),
        }
    }
}
