//! The agent put together: the only module that names every part.

pub mod baseline;
mod baseline_files;
#[cfg(feature = "iris")]
pub mod demo;
#[cfg(not(feature = "iris"))]
#[path = "app/no_demo.rs"]
pub mod demo;
mod descriptors;
mod explain;
mod feedback;
pub mod history;
pub mod inject;
#[cfg(feature = "iris")]
pub mod iris;
#[cfg(not(feature = "iris"))]
#[path = "app/no_iris.rs"]
pub mod iris;
mod pod;
mod probe;
mod reload;
pub mod replay;
mod tls;
pub mod top;
mod upstream;
pub mod webhook;

pub use explain::explain;
pub use probe::{leave, probe};

use std::{
    fs::File,
    future::pending,
    io::{self, IsTerminal},
    net::SocketAddr,
    os::fd::AsFd,
    sync::Arc,
    thread::JoinHandle,
    time::Duration,
};

use ::metrics::Counter;
use anyhow::Context;
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::{Mutex, mpsc, watch},
    task::JoinSet,
    time::timeout,
};
use tracing::level_filters::LevelFilter;

use self::{
    baseline_files::BaselineFiles, pod::Pod, reload::Reloader, tls::Ends, upstream::Origin,
};
#[cfg(feature = "otlp")]
use crate::otlp;
use crate::{
    capture::queue::{self, Offer},
    config::{self, Cgroup, Config, Findings, Level, Loaded, Sources, Watch},
    drain::{Drain, Phase},
    drift::{Baselines, Notice, Outlet, Snapshot, Store},
    feedback::Feedback,
    health::Health,
    metrics::{Metrics, Table, catalogue, process},
    notify::{self, Notifier},
    observe::{command::Handle, worker},
    ops::{self, Dashboard, Keeper, Ops},
    panics::{contained, hook},
    proxy::{self, listener::Proxy},
    telemetry::{self, FileLog, Sink, events},
};

/// Most bytes of log lines that wait for whoever reads stdout, and as many for the disk of the log file.
const MAX_WAITING_LINES: usize = 4 << 20;
/// How long the log may take at the end.
const LAST_LINES: Duration = Duration::from_secs(2);
/// How long the observer may take to read what waits at the end.
const LAST_EXCHANGES: Duration = Duration::from_secs(10);
/// Samples of histograms queue until they are moved.
const UPKEEP: Duration = Duration::from_secs(1);
/// Pause before a task that panicked begins again: a panic that comes back must not fill the log.
const AFTER_PANIC: Duration = Duration::from_millis(500);

/// Refuses what would keep the agent from running: certificates that do not hold, and no model server where
/// none is bundled.
pub fn examine(config: &Config, findings: &mut Findings<'_>) {
    crate::tls::examine(config, findings);
    upstream::examine(config, findings);
}

/// As [`examine`], and warns of baselines that it would run without.
pub fn examine_all(config: &Config, findings: &mut Findings<'_>) {
    examine(config, findings);
    baseline_files::examine(config, findings);
}

/// Stdout without the lock and the buffer of the standard library.
fn stdout() -> anyhow::Result<File> {
    let stdout = io::stdout().as_fd().try_clone_to_owned();
    Ok(File::from(stdout.context("stdout")?))
}

/// Runs the agent until a signal ends it.
///
/// # Errors
/// What kept it from starting: an address that is taken, a state folder that cannot be used.
pub fn run(sources: Sources, loaded: Loaded) -> anyhow::Result<()> {
    host(sources, loaded, stdout()?, async |agent| {
        agent.greet();
        agent.serve().await
    })
}

/// Runs the agent, whose log goes to `log`, for as long as `serve` has it.
fn host(
    sources: Sources,
    loaded: Loaded,
    log: File,
    serve: impl AsyncFnOnce(Agent) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let (sink, writer) = Sink::start(log, MAX_WAITING_LINES)?;
    let log_file = FileLog::new(MAX_WAITING_LINES);
    let sink = sink.with_file(log_file.clone());
    let level = level_filter(loaded.config.log.level);
    let common = Pod::of(&sources).common();
    let (subscriber, level) = events::subscriber(sink.clone(), level, common);
    tracing::subscriber::set_global_default(subscriber)?;
    report_panics();
    if let Err(error) = log_file.apply(reload::log_file(&loaded.config), LAST_LINES) {
        tracing::error!(%error, "log file");
    }
    for warning in &loaded.warnings {
        tracing::warn!(detail = warning.as_str(), "configuration");
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(4)
        .build()?;
    let outcome = runtime.block_on(async {
        let watch = Watch::new(reload::files(&sources, &loaded.config));
        let agent = Agent::start(
            sources,
            loaded.config,
            watch,
            (sink, log_file.clone()),
            level,
        )
        .await?;
        serve(agent).await
    });
    // what still runs is a blocked read of a file or a name: nobody waits for it
    runtime.shutdown_background();
    writer.finish(LAST_LINES);
    log_file.finish(LAST_LINES);
    outcome
}

/// Everything that runs.
struct Agent {
    drain: Drain,
    proxy: Proxy,
    doors: Doors,
    origin: Origin,
    observer: JoinHandle<Vec<Snapshot>>,
    store: Option<Arc<Store>>,
    feedback: Option<Feedback>,
    notifier: Notifier,
    #[cfg(feature = "otlp")]
    exporter: otlp::Exporter,
    tasks: JoinSet<()>,
    leave_as: watch::Receiver<config::Drain>,
}

impl Agent {
    async fn start(
        sources: Sources,
        config: Config,
        watch: Watch,
        (sink, log_file): (Sink, FileLog),
        level: events::LevelHandle,
    ) -> anyhow::Result<Self> {
        let (drain, leaving) = Drain::new();
        let metrics = Arc::new(Metrics::new(config.metrics.max_series)?);
        let (baselines, windows, store) = stored(&config.state)?;
        let (baseline_files, refused) = BaselineFiles::read(&config, &BaselineFiles::default());
        baseline_files::report(&refused);
        let ops_listener = listen_for_operator(&config.ops).await?;
        let (offer, take) = queue::queue(&config.capture);
        let pod = Pod::of(&sources);
        collect(&metrics, &sources, (&sink, &log_file), &offer);
        let (outlet, notices, dashboard) = told(&metrics);
        #[cfg(feature = "otlp")]
        let (exporter, export, handed_over) = otlp::start(&config, &pod.attributes(), &metrics)?;
        let feedback = feedback::start(&config, store.as_deref(), &metrics)?;
        let begin = worker::Begin {
            baselines: baseline_files.behind(&baselines),
            windows,
            outlet: outlet.clone(),
            offer: feedback::offer(feedback.as_ref()),
            common: pod.common(),
            #[cfg(feature = "otlp")]
            export: handed_over,
        };
        let (observer, observe_thread) = observe((take, sink), &metrics, &config, begin)?;

        let tls = Ends::new(&config)?;
        let (notify, receivers) = notify::receivers(&config.drift.notify)?;
        let notifier = notify::start(notices, receivers, &metrics);
        let shared = proxy::Shared::new(&config);
        let origin = Origin::new(config.proxy.upstream.clone());
        let path = proxy::Settings::new(&config, tls.server.clone(), tls.upstream.clone());
        let (path_settings, path_changes) = watch::channel(Arc::new(path));
        let parts = proxy::Parts {
            settings: path_changes,
            upstream: origin.upstream(),
            offer,
            metrics: Arc::clone(&metrics),
            shared: shared.clone(),
            drain: leaving,
        };
        let proxy = listen_for_clients(&config.proxy, &parts)?;
        drop(parts);

        let keeper = keeping((baselines, &store, &observer), &baseline_files).await;
        let health = Arc::new(Health::default());
        health.watch_threads(proxy.runtimes());
        let (ops_settings, ops_changes) = asking(&config, &tls);
        let (reload, reloads) = mpsc::channel(1);
        let ops = Arc::new(Ops {
            metrics: Arc::clone(&metrics),
            health,
            observer: observer.clone(),
            drain: drain.clone(),
            settings: ops_changes,
            keeper: Arc::clone(&keeper),
            judge: ops::Judge::new(outlet),
            scrapes: ops::Scrapes::default(),
            dashboard,
            desk: feedback.as_ref().map(|feedback| feedback.desk.clone()),
            reload,
        });
        let doors = announce(&proxy, &ops_listener, &config);
        let (drain_settings, leave_as) = watch::channel(config.drain.clone());
        let (files, watched) = watch::channel(reload::files(&sources, &config));
        let reloader = Reloader {
            sources,
            config,
            drain: drain_settings,
            files,
            tls,
            path: path_settings,
            ops: ops_settings,
            notify,
            #[cfg(feature = "otlp")]
            export,
            observer,
            desk: ops.desk.clone(),
            keeper,
            baseline_files,
            level,
            log_file,
            metrics: Arc::clone(&metrics),
        };
        let mut tasks = JoinSet::new();
        reload::listen(&mut tasks, reloader, (watched, watch), reloads)?;
        // probes are answered to the very end, when the task is dropped
        tasks.spawn(ops::serve(Arc::clone(&ops), ops_listener, pending()));
        keep_going(&mut tasks, ops, (origin.upstream(), shared), metrics);
        Ok(Self {
            drain,
            proxy,
            doors,
            origin,
            observer: observe_thread,
            store,
            feedback,
            notifier,
            #[cfg(feature = "otlp")]
            exporter,
            tasks,
            leave_as,
        })
    }

    /// Tells people where it is.
    fn greet(&self) {
        if io::stderr().is_terminal() {
            let (path, port) = (self.doors.clients.port(), self.doors.ops.port());
            let scheme = self.doors.scheme;
            eprintln!(
                "sidelight: clients at {scheme}://localhost:{path}, metrics at http://localhost:{port}/metrics"
            );
        }
    }

    /// Serves until a signal, then leaves in order.
    async fn serve(self) -> anyhow::Result<()> {
        let mut stop = Stop::new()?;
        stop.asked().await;
        self.leave(stop).await;
        Ok(())
    }

    async fn leave(mut self, mut stop: Stop) {
        let settings = self.leave_as.borrow().clone();
        tracing::info!("leaving");
        self.drain.advance(Phase::Leaving);
        tokio::select! {
            () = tokio::time::sleep(settings.delay.unwrap_or_default()) => {}
            () = stop.asked() => {}
        }
        self.drain.advance(Phase::Draining);
        let mut path = tokio::task::spawn_blocking(|| self.proxy.join());
        tokio::select! {
            _ = &mut path => {}
            () = tokio::time::sleep(settings.deadline) => tracing::warn!("drain deadline: requests cut off"),
            () = stop.asked() => tracing::warn!("asked again: requests cut off"),
        }
        self.drain.advance(Phase::Stopped);
        if !path.is_finished() {
            // a thread that does not stop is left to the end of the process
            let _ = timeout(LAST_LINES, path).await;
        }
        let (observer, store, feedback) = (self.observer, self.store, self.feedback);
        let last = tokio::task::spawn_blocking(|| {
            if let (Ok(windows), Some(store)) = (observer.join(), store) {
                let saved = store.save_windows(&windows);
                saved.unwrap_or_else(|error| tracing::error!(%error, "windows not saved"));
            }
            if let Some(feedback) = feedback {
                feedback.finish();
            }
        });
        if timeout(LAST_EXCHANGES, last).await.is_err() {
            tracing::warn!("observer did not finish");
        }
        tokio::select! {
            () = self.notifier.finish() => {}
            () = stop.asked() => tracing::warn!("asked again: notifications cut off"),
        }
        #[cfg(feature = "otlp")]
        tokio::select! {
            () = self.exporter.finish() => {}
            () = stop.asked() => tracing::warn!("asked again: export cut off"),
        }
        self.origin.stop().await;
        self.tasks.shutdown().await;
        tracing::info!("left");
    }
}

/// The signals that end the agent.
struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Runs a task to its end; after a panic, which is counted, and a pause, from its start again.
async fn kept_up<F: Future<Output = ()>>(panics: Counter, task: impl Fn() -> F) {
    while contained(&panics, task()).await.is_err() {
        tokio::time::sleep(AFTER_PANIC).await;
    }
}

/// What the operator's side goes by, and its other end.
fn asking(config: &Config, tls: &Ends) -> (AskingSender, watch::Receiver<Arc<ops::Settings>>) {
    let asking = ops::Settings::new(config, tls.upstream.clone());
    watch::channel(Arc::new(asking))
}

type AskingSender = watch::Sender<Arc<ops::Settings>>;

/// Where notices of drift are handed over, their end for receivers, and who remembers them.
fn told(metrics: &Metrics) -> (Outlet, mpsc::Receiver<Notice>, Dashboard) {
    let (outlet, notices) = notify::outlet(metrics);
    let (outlet, told) = outlet.recorded();
    (outlet, notices, Dashboard::new(Some(told)))
}

/// Starts what goes on for as long as the agent does.
fn keep_going(
    tasks: &mut JoinSet<()>,
    ops: Arc<Ops>,
    (upstream, path): (watch::Receiver<Option<config::Upstream>>, proxy::Shared),
    metrics: Arc<Metrics>,
) {
    let panics = |part| metrics.counter(&catalogue::PANICS, &[part]);
    let asks = Arc::clone(&ops);
    tasks.spawn(kept_up(panics("probe"), move || {
        let path = path.clone();
        ops::probe_upstream(Arc::clone(&asks), upstream.clone(), move |only| {
            path.set_only_http2(only);
        })
    }));
    let remembers = Arc::clone(&ops);
    tasks.spawn(kept_up(panics("history"), move || {
        ops::remember_drifts(Arc::clone(&remembers))
    }));
    let saves = Arc::clone(&ops);
    tasks.spawn(kept_up(panics("schedule"), move || {
        ops::check_on_schedule(Arc::clone(&ops))
    }));
    tasks.spawn(kept_up(panics("windows"), move || {
        ops::save_windows_on_schedule(Arc::clone(&saves))
    }));
    tasks.spawn(kept_up(panics("upkeep"), move || {
        keep_up(Arc::clone(&metrics))
    }));
}

async fn keep_up(metrics: Arc<Metrics>) {
    let mut due = tokio::time::interval(UPKEEP);
    loop {
        due.tick().await;
        hook("upkeep");
        metrics.run_upkeep();
    }
}

/// Starts the thread that reads what passed.
fn observe(
    (take, sink): (queue::Take, Sink),
    metrics: &Arc<Metrics>,
    config: &Config,
    begin: worker::Begin,
) -> io::Result<(Handle, JoinHandle<Vec<Snapshot>>)> {
    let settings = worker::Settings::new(config);
    worker::start(take, Arc::clone(metrics), sink, settings, begin)
}

/// Begins with the baselines of files.
async fn keeping(
    (baselines, store, observer): (Baselines, &Option<Arc<Store>>, &Handle),
    files: &BaselineFiles,
) -> Arc<Mutex<Keeper>> {
    let mut keeper = Keeper::new(baselines, store.clone(), observer.clone());
    if let Err(error) = keeper.use_files(files.baselines()).await {
        tracing::warn!(%error, "baseline files are not used");
    }
    Arc::new(Mutex::new(keeper))
}

/// What is known from the start, and what is only known when asked.
fn collect(metrics: &Metrics, sources: &Sources, (sink, file): (&Sink, &FileLog), offer: &Offer) {
    let pod = Pod::of(sources);
    let [pod, namespace, node] = pod.names();
    let labels = [env!("CARGO_PKG_VERSION"), pod, namespace, node];
    metrics.info(&catalogue::BUILD_INFO, &labels);
    Reloader::count_from_nothing(metrics);
    metrics.add_collector(process::collect);
    collect_limit(metrics, sources.cgroup.clone());
    sink.count_panics(metrics.counter(&catalogue::PANICS, &["log"]));
    let (sink, file, depth) = (sink.clone(), file.clone(), offer.depth().clone());
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    metrics.add_collector(move |table: &mut Table| {
        table.push(&catalogue::QUEUE_EXCHANGES, &[], depth.exchanges() as f64);
        table.push(&catalogue::QUEUE_BYTES, &[], depth.bytes() as f64);
        table.push(&catalogue::LOG_LINES, &["written"], sink.written() as f64);
        table.push(&catalogue::LOG_LINES, &["dropped"], sink.dropped() as f64);
        if !file.is_used() {
            return;
        }
        for (outcome, lines) in [
            ("written", file.written()),
            ("dropped", file.dropped()),
            ("failed", file.failed()),
        ] {
            table.push(&catalogue::LOG_FILE_LINES, &[outcome], lines as f64);
        }
        table.push(&catalogue::LOG_FILE_ROTATIONS, &[], file.rotations() as f64);
    });
}

/// A series more, where there is a limit.
fn collect_limit(metrics: &Metrics, cgroup: Cgroup) {
    #[expect(clippy::cast_precision_loss, reason = "a limit is below 2^53")]
    metrics.add_collector(move |table: &mut Table| {
        if let Some(limit) = cgroup.memory_limit() {
            table.push(&catalogue::MEMORY_LIMIT, &[], limit as f64);
        }
    });
}

/// Baselines and windows of before, and where they are kept.
type Stored = (Baselines, Vec<Snapshot>, Option<Arc<Store>>);

fn stored(state: &config::State) -> anyhow::Result<Stored> {
    let Some(dir) = &state.dir else {
        tracing::info!("baselines are kept in memory only; set state.dir to keep them");
        return Ok(Stored::default());
    };
    let (store, loaded) = Store::open(dir).context("state.dir")?;
    if store.is_read_only() {
        tracing::warn!(
            dir = %dir.display(),
            "state folder cannot be written: baselines are read from it only"
        );
    }
    for damage in &loaded.failures {
        tracing::error!(
            file = %damage.file.display(),
            kept = %damage.kept.display(),
            reason = %damage.reason,
            "stored state refused and kept aside"
        );
    }
    Ok((loaded.baselines, loaded.windows, Some(Arc::new(store))))
}

async fn listen_for_operator(ops: &config::Ops) -> anyhow::Result<TcpListener> {
    TcpListener::bind(ops.listen)
        .await
        .map_err(|e| taken(e, ops.listen, "--ops-listen ADDR or ops.listen"))
}

fn listen_for_clients(proxy: &config::Proxy, parts: &proxy::Parts) -> anyhow::Result<Proxy> {
    let mut fitting = proxy.clone();
    descriptors::fit(&mut fitting);
    Proxy::start(&fitting, parts)
        .map_err(|e| taken(e, proxy.listen, "--listen ADDR or proxy.listen"))
}

/// `setting`: what names another address.
fn taken(error: io::Error, address: SocketAddr, setting: &str) -> anyhow::Error {
    let advice = format!("cannot listen on {address}; {setting} names another");
    anyhow::Error::new(error).context(advice)
}

/// Where it listens.
#[derive(Debug, Clone, Copy)]
struct Doors {
    clients: SocketAddr,
    /// How they speak.
    scheme: &'static str,
    ops: SocketAddr,
}

fn announce(proxy: &Proxy, ops: &TcpListener, config: &Config) -> Doors {
    let doors = Doors {
        clients: proxy.address,
        scheme: match config.proxy.tls.cert_file {
            Some(_) => "https",
            None => "http",
        },
        ops: ops.local_addr().unwrap_or(config.ops.listen),
    };
    let upstream = config
        .proxy
        .upstream
        .as_ref()
        .map(config::Upstream::authority);
    let upstream = upstream.as_deref().unwrap_or("bundled iris");
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        listen = %doors.clients,
        ops_listen = %doors.ops,
        upstream,
        "listening"
    );
    doors
}

fn level_filter(level: Level) -> LevelFilter {
    match level {
        Level::Error => LevelFilter::ERROR,
        Level::Warning => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
    }
}

/// A panic is an event like others. Its message is left out: it may quote what a client sent.
fn report_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        if [telemetry::THREAD, telemetry::FILE_THREAD]
            .map(Some)
            .contains(&thread.name())
        {
            // its event would be the next line that it has to write
            return;
        }
        let location = panic.location().map(ToString::to_string);
        tracing::error!(location, "panic");
    }));
}
