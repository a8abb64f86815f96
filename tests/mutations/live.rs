//! A proxy on a free port, with the observer behind it.

use std::{net::SocketAddr, sync::Arc, thread::JoinHandle, time::Duration};

use sidelight::{
    capture::queue,
    config::{Sources, Upstream},
    drain::{Drain, Phase},
    drift::Snapshot,
    metrics::Metrics,
    observe::worker,
    proxy::{self, listener::Proxy},
    telemetry::{Sink, Writer},
};
use tokio::sync::watch;

pub(crate) struct Live {
    pub(crate) address: SocketAddr,
    proxy: Proxy,
    drain: Drain,
    metrics: Arc<Metrics>,
    observer: JoinHandle<Vec<Snapshot>>,
    _writer: Writer,
}

impl Live {
    /// Begins to serve; waits for clients as long as `patience`.
    pub(crate) fn start(upstream: SocketAddr, patience: Duration) -> Self {
        let mut config = Sources::default().load().unwrap().config;
        config.proxy.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        config.proxy.threads = Some(2);
        config.proxy.head_timeout = patience;
        config.proxy.client_idle = patience;

        let (drain, watch) = Drain::new();
        let metrics = Arc::new(Metrics::new(config.metrics.max_series).unwrap());
        let (offer, take) = queue::queue(&config.capture);
        let settings = proxy::Settings::new(&config, None, None);
        let upstream = Upstream {
            host: upstream.ip().to_string(),
            port: upstream.port(),
            tls: false,
        };
        let parts = proxy::Parts {
            settings: watch::channel(Arc::new(settings)).1,
            upstream: watch::channel(Some(upstream)).1,
            offer,
            metrics: Arc::clone(&metrics),
            shared: proxy::Shared::new(&config),
            drain: watch,
        };
        let proxy = Proxy::start(&config.proxy, &parts).unwrap();
        let (sink, writer) = Sink::start(std::io::sink(), 1 << 20).unwrap();
        let settings = worker::Settings::new(&config);
        let count = Arc::clone(&metrics);
        let (_, observer) =
            worker::start(take, count, sink, settings, worker::Begin::default()).unwrap();
        Self {
            address: proxy.address,
            proxy,
            drain,
            metrics,
            observer,
            _writer: writer,
        }
    }

    /// Ends it when all that is under way has ended; says what was counted.
    pub(crate) fn finish(self) -> Books {
        self.drain.advance(Phase::Draining);
        self.proxy.join();
        self.observer.join().unwrap();
        Books(self.metrics.render())
    }
}

/// A scrape.
pub(crate) struct Books(String);

impl Books {
    /// The sum of the series that begin with `prefix`, all of which are whole numbers.
    pub(crate) fn sum(&self, prefix: &str) -> i64 {
        self.0
            .lines()
            .filter(|line| line.starts_with(prefix))
            .map(|line| line.rsplit(' ').next().unwrap().parse::<i64>().unwrap())
            .sum()
    }
}
