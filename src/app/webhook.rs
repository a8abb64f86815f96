//! `sidelight webhook`: reviews over TLS, metrics and probes without.

use std::{
    io::{self, ErrorKind},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
};
use tracing::level_filters::LevelFilter;

use super::inject;
use crate::{
    cli,
    config::{self, Watch},
    drain::{self, Drain, Phase},
    http::{self, Limits},
    inject::{
        certificate,
        webhook::{self, Reviews},
    },
    metrics::{Metrics, catalogue},
    telemetry::{Common, Sink, events},
    tls,
};

/// Lines of the log that may wait for a slow stdout.
const MAX_WAITING_LINES: usize = 10_000;
/// How long the last of them may take.
const LAST_LINES: Duration = Duration::from_secs(5);
/// How long reviews in hand may take at the end: an API server waits no longer for any.
const LAST_REVIEWS: Duration = Duration::from_secs(10);
/// Samples of histograms queue until they are moved.
const UPKEEP: Duration = Duration::from_secs(1);
/// API servers are few and keep their connections; bursts come over one each.
const CONNECTIONS: usize = 1024;
const MAX_SERIES: usize = 1000;

/// Serves until a signal ends it.
///
/// # Errors
/// An address that is taken, a certificate that is none.
pub fn run(asked: &cli::Webhook) -> anyhow::Result<()> {
    let options = inject::options(&asked.sidecar)?;
    let (sink, writer) = Sink::start(super::stdout()?, MAX_WAITING_LINES)?;
    let (subscriber, _) = events::subscriber(sink.clone(), LevelFilter::INFO, Common::default());
    tracing::subscriber::set_global_default(subscriber)?;
    super::report_panics();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(2)
        .build()?;
    let metrics = Arc::new(Metrics::new(MAX_SERIES)?);
    sink.count_panics(metrics.counter(&catalogue::PANICS, &["log"]));
    let reviews = Reviews::new(options, Arc::clone(&metrics));
    let outcome = runtime.block_on(serve(asked, reviews, metrics));
    runtime.shutdown_background();
    writer.finish(LAST_LINES);
    outcome
}

/// `sidelight gen-certs`: what is to be applied, in YAML.
///
/// # Errors
/// The system has no random bytes, or no time that can be.
pub fn certificates(asked: cli::GenCerts) -> anyhow::Result<String> {
    let ask = certificate::Ask {
        service: asked.service,
        namespace: asked.namespace,
        secret: asked.secret,
        days: asked.days,
        strict: asked.strict,
    };
    Ok(certificate::generate(&ask)?)
}

async fn serve(
    asked: &cli::Webhook,
    reviews: Reviews,
    metrics: Arc<Metrics>,
) -> anyhow::Result<()> {
    let files = Files {
        cert: asked.cert.clone(),
        key: asked.key.clone(),
    };
    // watched before they are read, so that no change is missed
    let changes = Watch::new([files.cert.clone(), files.key.clone()]);
    let (identity, current) = watch::channel(files.read()?);
    let listener = TcpListener::bind(asked.listen)
        .await
        .map_err(|e| super::taken(e, asked.listen, "--listen ADDR"))?;
    let ops_listener = TcpListener::bind(asked.ops_listen)
        .await
        .map_err(|e| super::taken(e, asked.ops_listen, "--ops-listen ADDR"))?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        listen = %listener.local_addr()?,
        ops_listen = %ops_listener.local_addr()?,
        "webhook listening"
    );
    let (drain, leaving) = Drain::new();
    tokio::spawn(renew(files, changes, identity, Arc::clone(&metrics)));
    tokio::spawn(upkeep(Arc::clone(&metrics)));
    tokio::spawn(serve_ops(
        ops_listener,
        Arc::clone(&metrics),
        leaving.clone(),
    ));
    let failures = metrics.counter(&catalogue::TLS_FAILURES, &[]);
    let secure = move |stream| {
        let (server, failures) = (current.borrow().clone(), failures.clone());
        async move {
            let outcome = server.accept(stream).await;
            if outcome.is_err() {
                failures.increment(1);
            }
            outcome
        }
    };
    let limits = Limits {
        body: webhook::MAX_REVIEW,
        connections: CONNECTIONS,
        ..Limits::default()
    };
    let panics = metrics.counter(&catalogue::PANICS, &["webhook"]);
    let mut stop = leaving.clone();
    let stopped = async move { stop.reached(Phase::Draining).await };
    let serving = http::server::serve_over(listener, reviews, limits, panics, stopped, secure);
    leave(serving, drain, Duration::from_secs(asked.drain_delay)).await
}

/// Goes on for `delay` behind a signal, not ready any more, and then answers what is in hand.
async fn leave(
    serving: impl Future<Output = ()>,
    drain: Drain,
    delay: Duration,
) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let signalled = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("leaving");
        drain.advance(Phase::Leaving);
        tokio::time::sleep(delay).await;
        drain.advance(Phase::Draining);
        tokio::time::sleep(LAST_REVIEWS).await;
    };
    tokio::select! {
        () = serving => tracing::info!("left"),
        () = signalled => tracing::warn!("left with reviews in hand"),
    }
    Ok(())
}

async fn serve_ops(listener: TcpListener, metrics: Arc<Metrics>, leaving: drain::Watch) {
    let panics = metrics.counter(&catalogue::PANICS, &["ops"]);
    let door = webhook::ops(metrics, leaving);
    http::serve(
        listener,
        door,
        Limits::default(),
        panics,
        std::future::pending(),
    )
    .await;
}

async fn upkeep(metrics: Arc<Metrics>) {
    loop {
        tokio::time::sleep(UPKEEP).await;
        metrics.run_upkeep();
    }
}

/// Takes a renewed certificate into use for new connections; one that is damaged changes nothing.
async fn renew(
    files: Files,
    mut changes: Watch,
    identity: watch::Sender<tls::Server>,
    metrics: Arc<Metrics>,
) {
    let count = |outcome| {
        metrics
            .counter(&catalogue::CONFIG_RELOADS, &[outcome])
            .increment(1);
    };
    loop {
        changes.changed().await;
        match files.read() {
            Ok(server) => {
                identity.send_replace(server);
                count("applied");
                tracing::info!("certificate renewed");
            }
            Err(error) => {
                count("refused");
                tracing::error!(error = %format_args!("{error:#}"), "renewed certificate refused");
            }
        }
    }
}

struct Files {
    cert: PathBuf,
    key: PathBuf,
}

impl Files {
    fn read(&self) -> anyhow::Result<tls::Server> {
        let tls = config::Tls::of_files(&self.cert, &self.key).map_err(|(path, error)| {
            io::Error::new(
                ErrorKind::InvalidData,
                format!("{}: {error}", path.display()),
            )
        })?;
        let server = tls::Server::new(&tls).map_err(|error| {
            // the settings of the proxy are flags here
            let text = error.to_string();
            let text = text.replace("proxy.tls.cert_file", "--cert");
            anyhow::anyhow!(text.replace("proxy.tls.key_file", "--key"))
        })?;
        Ok(server.context("no certificate")?.only_http1())
    }
}
