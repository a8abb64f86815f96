//! What one data thread owns. Nothing in it is shared with another but what counts and queues.

use std::{
    cell::{OnceCell, RefCell},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use ::metrics::{Counter, Gauge, Histogram};
use http::Method;
use tokio::sync::{Semaphore, watch};

use super::{
    endpoint::{Endpoints, Learned},
    failure::Failure,
    request_id::Ids,
    room::Room,
    sanitize::Bounds,
    upstream::{Multiplexed, Names, Pool, Spoken},
};
use crate::{
    capture::{
        Fault,
        queue::{Offer, Shed},
        route::Routes,
    },
    config::{self, RouteKind},
    drain,
    metrics::{Metrics, catalogue},
    tls,
};

/// Connections of HTTP/1 to the upstream that all threads make at once: half of the smallest queue
/// that servers usually have. Each for itself, two threads filled it, and who found it full waited a
/// second.
const DIALS: usize = 64;

/// What the path goes by and a reload can change.
#[derive(Debug)]
pub struct Settings {
    /// Route templates, in order of precedence.
    pub routes: Routes,
    /// Whether labels that pass are wanted.
    pub wants_labels: bool,
    /// Most bytes of a body that are kept, per direction.
    pub body_limit: usize,
    /// Longest wait for a connection to the upstream.
    pub connect_timeout: Duration,
    /// Longest wait for the start of an answer.
    pub response_timeout: Option<Duration>,
    /// How long an idle upstream connection is kept.
    pub upstream_idle: Duration,
    /// TLS towards clients.
    pub tls: Option<tls::Server>,
    /// TLS towards an upstream that is `https://`.
    pub upstream_tls: Option<tls::Client>,
    /// Which version of HTTP requests go out in.
    pub upstream_protocol: config::UpstreamProtocol,
    /// Requests that may wait for room, and for how long.
    pub max_queued: usize,
    /// Longest wait for room.
    pub queue_timeout: Duration,
    /// Longest time from the first byte of a head to its last.
    pub head_timeout: Duration,
    /// How long a client's connection is kept without a request.
    pub client_idle: Duration,
}

impl Settings {
    /// Those of a configuration.
    pub fn new(
        config: &config::Config,
        tls: Option<tls::Server>,
        upstream_tls: Option<tls::Client>,
    ) -> Self {
        let config::Config {
            proxy,
            capture,
            routes,
            feedback,
            ..
        } = config;
        Self {
            tls,
            upstream_tls,
            routes: Routes::new(routes),
            wants_labels: feedback.enabled,
            body_limit: capture.body_limit,
            connect_timeout: proxy.connect_timeout,
            response_timeout: proxy.response_timeout,
            upstream_idle: proxy.upstream_idle,
            upstream_protocol: proxy.upstream_protocol,
            max_queued: proxy.max_queued,
            queue_timeout: proxy.queue_timeout,
            head_timeout: proxy.head_timeout,
            client_idle: proxy.client_idle,
        }
    }
}

/// What data threads share beside counters.
#[derive(Debug, Clone)]
pub struct Shared {
    /// What the upstream is known to speak.
    spoken: Arc<Spoken>,
    /// Room for requests.
    room: Arc<Room>,
    /// Turns to make a connection of HTTP/1.
    dials: Arc<Semaphore>,
    /// Route templates.
    learned: Arc<Learned>,
}

impl Shared {
    /// With the bounds of a configuration.
    pub fn new(config: &config::Config) -> Self {
        Self {
            spoken: Arc::default(),
            room: Arc::new(Room::new(config.proxy.max_requests)),
            dials: Arc::new(Semaphore::new(DIALS)),
            learned: Arc::new(Learned::new(config.metrics.max_endpoints)),
        }
    }

    /// Whoever asks the upstream something else found out that it speaks HTTP/2 alone, so that no
    /// client of HTTP/1 need; or that this is over.
    pub fn set_only_http2(&self, is: bool) {
        self.spoken.set_only_http2(is);
    }
}

/// What every data thread is given.
#[derive(Clone)]
pub struct Parts {
    /// Replaced whole by a reload.
    pub settings: watch::Receiver<Arc<Settings>>,
    /// Where requests go; `None` while there is nowhere.
    pub upstream: watch::Receiver<Option<config::Upstream>>,
    /// What they share.
    pub shared: Shared,
    /// Where finished exchanges go.
    pub offer: Offer,
    /// Where everything is counted.
    pub metrics: Arc<Metrics>,
    /// When to stop.
    pub drain: drain::Watch,
}

/// What one data thread owns.
pub(super) struct Thread {
    pub(super) settings: RefCell<Arc<Settings>>,
    pub(super) upstream: watch::Receiver<Option<config::Upstream>>,
    pub(super) names: Rc<Names>,
    pub(super) pool: Pool,
    /// Turns to make a connection of HTTP/1.
    pub(super) dials: Arc<Semaphore>,
    pub(super) multiplexed: Multiplexed,
    pub(super) spoken: Arc<Spoken>,
    pub(super) room: Arc<Room>,
    pub(super) offer: Offer,
    pub(super) endpoints: Endpoints,
    pub(super) counts: Counts,
    pub(super) ids: Ids,
    pub(super) relay: Rc<drain::Relay>,
    pub(super) preserve_header_case: bool,
    pub(super) bounds: Bounds,
}

/// Handles that every request needs.
pub(super) struct Counts {
    pub(super) active: Gauge,
    pub(super) overhead: Histogram,
    pub(super) not_wanted: Counter,
    pub(super) panics: Counter,
    /// Interim answers that did not reach the client.
    pub(super) lost_interims: Counter,
    pub(super) limits: Limits,
    pub(super) tls_failures: Counter,
    /// Trailer fields that did not reach the other side.
    pub(super) lost_trailers: Counter,
    pub(super) accept_panics: Counter,
    pub(super) upstream_panics: Counter,
    shed: Counter,
    shed_by_reason: [Counter; Shed::ALL.len()],
    /// What clients cause has no series before it happens: nobody is told of it.
    failures: Vec<OnceCell<Counter>>,
    metrics: Arc<Metrics>,
}

impl Thread {
    pub(super) fn new(parts: Parts, proxy: &config::Proxy) -> Rc<Self> {
        let thread = Self {
            settings: RefCell::new(Arc::clone(&parts.settings.borrow())),
            upstream: parts.upstream,
            names: Rc::default(),
            pool: Pool::new(proxy.upstream_idle_connections),
            dials: parts.shared.dials,
            multiplexed: Multiplexed::default(),
            spoken: parts.shared.spoken,
            room: parts.shared.room,
            offer: parts.offer,
            endpoints: Endpoints::new(parts.shared.learned, Arc::clone(&parts.metrics)),
            counts: Counts::new(Arc::clone(&parts.metrics)),
            ids: Ids::new(),
            relay: drain::Relay::new(&parts.drain),
            preserve_header_case: proxy.preserve_header_case,
            bounds: Bounds {
                max_head: proxy.max_head,
                max_fields: proxy.max_fields,
            },
        };
        thread.prepare_routes();
        Rc::new(thread)
    }

    /// Takes what a reload changed.
    pub(super) fn apply(&self, settings: Arc<Settings>) {
        *self.settings.borrow_mut() = settings;
        self.prepare_routes();
    }

    /// Lets go of connections that nobody needs, and looks where the upstream is now.
    pub(super) fn tidy(&self) {
        if let Some(upstream) = &*self.upstream.borrow() {
            self.names.refresh(&upstream.host);
        }
        let idle = self.settings.borrow().upstream_idle;
        self.pool.prune(idle, &self.names);
        self.multiplexed.prune(idle, &self.names);
    }

    /// Where the agent is on its way out.
    pub(super) fn phase(&self) -> drain::Phase {
        self.relay.phase()
    }

    /// Waits until the agent is so far.
    pub(super) fn reached(&self, phase: drain::Phase) -> drain::Reached {
        self.relay.reached(phase)
    }

    /// Why an answer did not get out whole: a panic, the client left, or the agent did.
    pub(super) fn cut_off(&self) -> Failure {
        if std::thread::panicking() {
            Failure::Panic
        } else if self.phase() == drain::Phase::Stopped {
            Failure::CutOff
        } else {
            Failure::ClientLeft
        }
    }

    /// Series of known and configured prediction routes exist before their first request.
    fn prepare_routes(&self) {
        let settings = Arc::clone(&self.settings.borrow());
        for route in settings
            .routes
            .iter()
            .filter(|r| r.kind != RouteKind::Ignore)
        {
            self.endpoints.named(&route.endpoint).prepare(&Method::POST);
        }
    }
}

/// Bounds of connections that were reached.
pub(super) struct Limits {
    /// `proxy.max_connections` were open, and the next had to wait.
    pub(super) connections: Counter,
    /// The system gave no socket.
    pub(super) sockets: Counter,
    /// A client was quiet for `proxy.client_idle`.
    pub(super) client_idle: Counter,
}

impl Limits {
    fn new(metrics: &Metrics) -> Self {
        let of = |limit| metrics.counter(&catalogue::CONNECTION_LIMITS, &[limit]);
        Self {
            connections: of("max_connections"),
            sockets: of("descriptors"),
            client_idle: of("client_idle"),
        }
    }
}

impl Counts {
    fn new(metrics: Arc<Metrics>) -> Self {
        let counts = Self {
            active: metrics.gauge(&catalogue::ACTIVE_REQUESTS, &[]),
            overhead: metrics.histogram(&catalogue::OVERHEAD_SECONDS, &[]),
            not_wanted: metrics.counter(&catalogue::EXCHANGES, &["not_wanted"]),
            panics: metrics.counter(&catalogue::PANICS, &["connection"]),
            lost_interims: metrics.counter(&catalogue::NOT_FORWARDED, &["interim_answer"]),
            lost_trailers: metrics.counter(&catalogue::NOT_FORWARDED, &["trailer_field"]),
            limits: Limits::new(&metrics),
            tls_failures: metrics.counter(&catalogue::TLS_FAILURES, &[]),
            accept_panics: metrics.counter(&catalogue::PANICS, &["accept"]),
            upstream_panics: metrics.counter(&catalogue::PANICS, &["upstream"]),
            shed: metrics.counter(&catalogue::EXCHANGES, &["shed"]),
            shed_by_reason: Shed::ALL
                .map(|shed| metrics.counter(&catalogue::SHED, &[shed.reason()])),
            failures: vec![OnceCell::new(); Failure::ALL.len()],
            metrics,
        };
        let others = Failure::ALL.iter().filter(|f| f.fault() != Fault::Client);
        others.for_each(|failure| {
            counts.failure(*failure);
        });
        counts
    }

    pub(super) fn shed(&self, shed: Shed) {
        self.shed.increment(1);
        self.shed_by_reason[shed as usize].increment(1);
    }

    fn failure(&self, failure: Failure) -> &Counter {
        self.failures[failure as usize].get_or_init(|| {
            let labels = [failure.fault().label(), failure.reason()];
            self.metrics.counter(&catalogue::FAILURES, &labels)
        })
    }

    pub(super) fn failed(&self, failure: Failure) {
        self.failure(failure).increment(1);
    }
}
