//! An operator's port with an observer behind it, and a client that reads until it closes.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use sidelight::{
    capture::queue::{self, Offer},
    config::Secret,
    drain::{Drain, Phase},
    drift::Baselines,
    health::Health,
    metrics::{Metrics, Table, catalogue},
    observe::worker,
    ops::{self, Judge, Keeper, Ops, Scrapes, Settings},
    telemetry::Sink,
};
use tokio::{
    net::TcpListener,
    sync::{Mutex, watch},
};

/// Far beyond what a slow machine needs, and far below what a client may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// A port that answers to the end of the process.
pub(super) struct Port {
    pub(super) address: SocketAddr,
    pub(super) metrics: Arc<Metrics>,
    drain: Drain,
    _keep: Offer,
}

/// All that was said on a connection.
pub(super) struct Talk(pub(super) String);

impl Talk {
    pub(super) fn status(&self) -> u16 {
        let status = self.0.split(' ').nth(1);
        status.and_then(|s| s.parse().ok()).unwrap_or_default()
    }

    /// The value of a field; empty: it is not there.
    pub(super) fn field(&self, name: &str) -> &str {
        let head = self.0.split("\r\n\r\n").next().unwrap_or_default();
        let mut fields = head.lines().filter_map(|line| line.split_once(": "));
        let found = fields.find(|(field, _)| field.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }

    pub(super) fn body(&self) -> &str {
        self.0.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }
}

impl Port {
    pub(super) fn start(token: Option<&str>) -> Self {
        let mut config = super::super::path::config(16);
        config.ops.token = token.map(Secret::from);
        let metrics = Arc::new(Metrics::new(config.metrics.max_series).unwrap());
        let (drain, leaving) = Drain::new();
        let (offer, take) = queue::queue(&config.capture);
        let (sink, _) = Sink::start(std::io::sink(), 1 << 20).unwrap();
        let settings = worker::Settings::new(&config);
        let counts = Arc::clone(&metrics);
        let (observer, _) =
            worker::start(take, counts, sink, settings, worker::Begin::default()).unwrap();
        let ops = Ops {
            metrics: Arc::clone(&metrics),
            health: Arc::new(Health::default()),
            observer: observer.clone(),
            drain: leaving,
            settings: watch::channel(Arc::new(Settings::new(&config, None))).1,
            keeper: Arc::new(Mutex::new(Keeper::new(Baselines::new(), None, observer))),
            judge: Judge::default(),
            scrapes: Scrapes::default(),
            dashboard: ops::Dashboard::new(None),
            reload: tokio::sync::mpsc::channel(1).0,
        };
        Self {
            address: serve(ops),
            metrics,
            drain,
            _keep: offer,
        }
    }

    /// Goes on its way out.
    pub(super) fn advance(&self, phase: Phase) {
        self.drain.advance(phase);
    }

    /// Makes scrapes at least `bytes` long.
    pub(super) fn fill(&self, bytes: usize) {
        let mut table = Table::default();
        let name = "x".repeat(1000);
        for i in 0..bytes / name.len() {
            table.push(&catalogue::MODEL_LOADED, &[&name, &i.to_string()], 1.0);
        }
        self.metrics.publish(&table);
    }

    pub(super) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// One request on a connection of its own, and everything that comes back.
    pub(super) fn ask(&self, request: &str) -> Talk {
        self.talk(&request.replacen("\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1))
    }

    /// Everything that comes back until the port closes the connection.
    pub(super) fn talk(&self, request: &str) -> Talk {
        let mut stream = self.connect();
        // a server that refuses a head may not read all of it
        let _ = stream.write_all(request.as_bytes());
        let mut said = Vec::new();
        match stream.read_to_end(&mut said) {
            Err(e) if e.kind() != ErrorKind::ConnectionReset => panic!("{e}"),
            _ => Talk(String::from_utf8(said).unwrap()),
        }
    }
}

fn serve(ops: Ops) -> SocketAddr {
    let (tell, told) = mpsc::sync_channel(1);
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            ops::serve(Arc::new(ops), listener, std::future::pending()).await;
        });
    });
    told.recv().unwrap()
}

/// Resident memory of this process in bytes.
pub(super) fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        * 1024
}
