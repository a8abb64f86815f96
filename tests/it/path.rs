//! The path from client to model and back, with the observer held still or running.

#![expect(clippy::float_cmp, reason = "counts are exact")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use sidelight::{
    capture::queue::{self, Take},
    config::{Config, Sources, Upstream},
    drain::{Drain, Phase},
    metrics::Metrics,
    observe::worker,
    proxy::{self, listener::Proxy},
    telemetry::Sink,
};
use tokio::{net::TcpListener, sync::watch};

pub(super) const ROW: &str =
    r#"{"sepal_length":5.1,"sepal_width":3.5,"petal_length":1.4,"petal_width":0.2}"#;

/// The bundled model server on a thread of its own; ends with the process.
pub(super) fn model_server() -> SocketAddr {
    let (tell, told) = mpsc::sync_channel(1);
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            sidelight::iris::server::run(listener, std::future::pending()).await;
        });
    });
    told.recv().unwrap()
}

pub(super) fn config(queue_exchanges: usize) -> Config {
    let mut config = Sources::default().load().unwrap().config;
    config.proxy.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    config.proxy.threads = Some(2);
    config.capture.queue_exchanges = queue_exchanges;
    config
}

/// The data threads, and a queue that nobody empties yet.
pub(super) struct Path {
    pub(super) proxy: Proxy,
    drain: Drain,
    metrics: Arc<Metrics>,
    take: Take,
}

impl Path {
    pub(super) fn start(config: &Config, upstream: SocketAddr) -> Self {
        let (drain, watch) = Drain::new();
        let metrics = Arc::new(Metrics::new(config.metrics.max_series).unwrap());
        let (offer, take) = queue::queue(&config.capture);
        let settings = proxy::Settings::new(config, None, None);
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
            shared: proxy::Shared::new(config),
            drain: watch,
        };
        let proxy = Proxy::start(&config.proxy, &parts).unwrap();
        Self {
            proxy,
            drain,
            metrics,
            take,
        }
    }

    /// What is counted so far.
    pub(super) fn counted(&self) -> Counted {
        Counted(self.metrics.render())
    }

    /// Lets the drain begin.
    pub(super) fn leave(&self) {
        self.drain.advance(Phase::Draining);
    }

    /// Ends the data threads, then reads what waits; says what was counted.
    pub(super) fn finish(self, config: &Config) -> Counted {
        let (sink, _writer) = Sink::start(std::io::sink(), 1 << 20).unwrap();
        self.finish_to(config, sink)
    }

    /// As [`Path::finish`], with the lines to `sink`.
    pub(super) fn finish_to(self, config: &Config, sink: Sink) -> Counted {
        self.finish_with(config, sink, worker::Begin::default())
    }

    /// As [`Path::finish_to`], of an observer that begins with `begin`.
    pub(super) fn finish_with(self, config: &Config, sink: Sink, begin: worker::Begin) -> Counted {
        self.drain.advance(Phase::Draining);
        self.proxy.join();
        let settings = worker::Settings::new(config);
        let metrics = Arc::clone(&self.metrics);
        let (_, observer) = worker::start(self.take, metrics, sink, settings, begin).unwrap();
        observer.join().unwrap();
        Counted(self.metrics.render())
    }
}

/// A scrape.
pub(super) struct Counted(String);

impl Counted {
    /// The sum of the series that begin with `prefix`.
    pub(super) fn sum(&self, prefix: &str) -> f64 {
        self.0
            .lines()
            .filter(|line| line.starts_with(prefix))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }

    pub(super) fn assert_books_balance(&self) {
        let requests = self.sum("ml_api_requests_total{");
        let observed = self.sum(r#"sidelight_exchanges_total{outcome="observed"}"#);
        assert_eq!(
            requests,
            self.sum("sidelight_exchanges_total{"),
            "{}",
            self.0
        );
        assert_eq!(
            observed,
            self.sum("sidelight_observed_total{"),
            "{}",
            self.0
        );
        let shed = self.sum(r#"sidelight_exchanges_total{outcome="shed"}"#);
        assert_eq!(shed, self.sum("sidelight_shed_total{"));
    }
}

/// One connection that is kept; the answer's head and body.
pub(super) struct Client(BufReader<TcpStream>);

impl Client {
    pub(super) fn connect(address: SocketAddr) -> Self {
        Self(BufReader::new(TcpStream::connect(address).unwrap()))
    }

    pub(super) fn post(&mut self, path: &str, body: &str) -> (String, Vec<u8>) {
        let length = body.len();
        self.send(format!(
            "POST {path} HTTP/1.1\r\nHost: model\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
    }

    pub(super) fn send(&mut self, request: impl AsRef<[u8]>) -> (String, Vec<u8>) {
        self.0.get_mut().write_all(request.as_ref()).unwrap();
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(self.0.read_line(&mut head).unwrap() > 0, "{head}");
        }
        let lower = head.to_ascii_lowercase();
        let length = lower
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"))
            .map_or(0, |length| length.trim().parse().unwrap());
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        (head, body)
    }
}

#[test]
fn a_stalled_observer_costs_copies_and_no_request_and_the_books_balance() {
    let config = config(16);
    let path = Path::start(&config, model_server());
    let address = path.proxy.address;
    let clients: Vec<_> = (0..4)
        .map(|_| {
            thread::spawn(move || {
                let mut client = Client::connect(address);
                for i in 0..100 {
                    let (head, body) = match i % 5 {
                        0 => client.post("/nowhere", ROW),
                        1 => client.post("/predict", "not json"),
                        2 => client.send("GET /health HTTP/1.1\r\nHost: m\r\n\r\n"),
                        _ => client.post("/predict", ROW),
                    };
                    assert!(!head.starts_with("HTTP/1.1 5"), "{head}");
                    assert!(!body.is_empty());
                }
            })
        })
        .collect();
    for client in clients {
        client.join().unwrap();
    }
    let counted = path.finish(&config);
    assert_eq!(counted.sum("ml_api_requests_total{"), 400.0);
    assert_eq!(
        counted.sum(r#"sidelight_exchanges_total{outcome="shed"}"#),
        384.0
    );
    counted.assert_books_balance();
}

#[test]
fn every_prediction_is_read_when_the_queue_has_room() {
    let config = config(1000);
    let upstream = model_server();
    let path = Path::start(&config, upstream);
    let mut through = Client::connect(path.proxy.address);
    let mut direct = Client::connect(upstream);
    for _ in 0..50 {
        let (head, body) = through.post("/predict", ROW);
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(
            head.to_ascii_lowercase().contains("x-request-id: "),
            "{head}"
        );
        assert_eq!(body, direct.post("/predict", ROW).1, "unchanged");
    }
    drop(through);
    let counted = path.finish(&config);
    assert_eq!(counted.sum("ml_model_predictions_total{"), 50.0);
    assert_eq!(counted.sum("ml_model_prediction_confidence_count{"), 50.0);
    assert_eq!(
        counted.sum(r#"sidelight_observed_total{result="decoded"}"#),
        50.0
    );
    counted.assert_books_balance();
}

/// An address where nobody listens.
pub(super) fn nobody() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

#[test]
fn a_refused_request_whose_body_comes_late_leaves_the_connection_usable() {
    let config = config(1000);
    let path = Path::start(&config, nobody());
    let mut client = Client::connect(path.proxy.address);
    for _ in 0..3 {
        // so that the head is answered for before the body is there
        let (head, _) = post_slowly(&mut client, Duration::from_millis(20));
        assert!(head.starts_with("HTTP/1.1 502"), "{head}");
        assert!(!closes(&head), "{head}");
    }
    drop(client);
    let counted = path.finish(&config);
    assert_eq!(
        counted.sum(r#"sidelight_observed_total{result="decoded"}"#),
        3.0
    );
    counted.assert_books_balance();
}

#[test]
fn a_refused_request_whose_body_does_not_end_announces_that_its_connection_closes() {
    let config = config(1000);
    let path = Path::start(&config, nobody());
    let mut client = Client::connect(path.proxy.address);
    let (head, _) =
        client.send("POST /predict HTTP/1.1\r\nHost: m\r\nContent-Length: 9\r\n\r\nshort");
    assert!(head.starts_with("HTTP/1.1 502"), "{head}");
    assert!(closes(&head), "{head}");
    drop(client);
    let counted = path.finish(&config);
    assert_eq!(
        counted.sum(r#"sidelight_observed_total{result="aborted"}"#),
        1.0
    );
    counted.assert_books_balance();
}

/// Whether an answer says that its connection closes.
fn closes(head: &str) -> bool {
    head.to_ascii_lowercase().contains("connection: close")
}

/// Sends the head of a prediction, and its body after `pause`.
fn post_slowly(client: &mut Client, pause: Duration) -> (String, Vec<u8>) {
    let length = ROW.len();
    let head = format!("POST /predict HTTP/1.1\r\nHost: m\r\nContent-Length: {length}\r\n\r\n");
    client.0.get_mut().write_all(head.as_bytes()).unwrap();
    thread::sleep(pause);
    client.send(ROW)
}

#[test]
fn a_slow_upload_is_not_the_models_time() {
    let mut config = config(1000);
    config.proxy.response_timeout = Some(Duration::from_secs(3));
    let path = Path::start(&config, model_server());
    let mut client = Client::connect(path.proxy.address);
    let pause = Duration::from_millis(3300);
    let (head, _) = post_slowly(&mut client, pause);
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    drop(client);
    let counted = path.finish(&config);
    let request = counted.sum("ml_api_request_duration_seconds_sum{");
    let model = counted.sum("ml_model_inference_seconds_sum{");
    assert!(model < request / 2.0, "{model} of {request}");
}

#[test]
fn clients_are_told_to_leave_as_soon_as_the_agent_does() {
    let config = config(1000);
    let path = Path::start(&config, model_server());
    let mut client = Client::connect(path.proxy.address);
    let (head, _) = client.post("/predict", ROW);
    assert!(!closes(&head), "{head}");
    path.drain.advance(Phase::Leaving);
    let (head, _) = client.post("/predict", ROW);
    assert!(closes(&head), "{head}");
    // it still accepts, for load balancers that have not noticed
    let (head, _) = Client::connect(path.proxy.address).post("/predict", ROW);
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    path.finish(&config).assert_books_balance();
}

#[test]
fn what_the_agent_cuts_off_is_its_own_fault() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let config = config(1000);
    let path = Path::start(&config, silent.local_addr().unwrap());
    let mut client = Client::connect(path.proxy.address);
    let request = format!(
        "POST /predict HTTP/1.1\r\nHost: m\r\nContent-Length: {}\r\n\r\n{ROW}",
        ROW.len()
    );
    client.0.get_mut().write_all(request.as_bytes()).unwrap();
    // the upstream has it, and says nothing
    let _waiting = silent.accept().unwrap();
    path.drain.advance(Phase::Stopped);
    let counted = path.finish(&config);
    let cut = r#"sidelight_request_failures_total{fault="sidelight",reason="drain_cut_off"}"#;
    assert_eq!(counted.sum(cut), 1.0);
    counted.assert_books_balance();
}

#[test]
fn a_head_that_does_not_end_holds_up_no_drain() {
    let mut config = config(1000);
    config.proxy.head_timeout = Duration::from_hours(1);
    let path = Path::start(&config, model_server());
    let mut client = Client::connect(path.proxy.address);
    // one whole request first: then the connection is surely accepted
    client.post("/predict", ROW);
    client.0.get_mut().write_all(b"GET / HT").unwrap();
    // it would wait for the hour that a head may take; nobody says that it is Stopped
    path.finish(&config).assert_books_balance();
}

#[test]
fn a_client_that_stops_sending_is_cut_off_and_at_fault() {
    let mut config = config(1000);
    config.proxy.client_idle = Duration::from_millis(300);
    let path = Path::start(&config, model_server());
    let mut client = Client::connect(path.proxy.address);
    let (head, _) =
        client.send("POST /predict HTTP/1.1\r\nHost: m\r\nContent-Length: 9\r\n\r\nshort");
    assert!(head.starts_with("HTTP/1.1 400"), "{head}");
    drop(client);
    let counted = path.finish(&config);
    let broken = r#"sidelight_request_failures_total{fault="client",reason="request_body_broken"}"#;
    assert_eq!(counted.sum(broken), 1.0);
    counted.assert_books_balance();
}
