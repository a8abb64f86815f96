//! What the observer hands over, and the way out.
//!
//! [`Outlet::line`] and [`Outlet::span`] never wait for the collector: what there is no room for is dropped
//! and counted.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::Method;

use super::{
    counts::{Counts, Outcome},
    queue::Queue,
    settings::Settings,
};
use crate::{
    config::Signal,
    metrics::{Metrics, Table, catalogue},
};

/// Which span something belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    /// Not all 0.
    pub trace: [u8; 16],
    /// Not all 0.
    pub span: [u8; 8],
    /// Those of `traceparent`.
    pub flags: u8,
}

/// A line of the log.
#[derive(Debug)]
pub struct Line {
    /// An object of JSON, as it was written.
    pub text: Box<[u8]>,
    /// The span that it was written in.
    pub context: Option<Context>,
}

/// One exchange. What is not known, or must not be shown, is `None`.
#[derive(Debug)]
pub struct Span {
    /// Its own.
    pub context: Context,
    /// The client's.
    pub parent: Option<[u8; 8]>,
    /// Since 1970.
    pub started: Duration,
    /// Until the last byte of the answer.
    pub duration: Duration,
    /// How the request was made.
    pub method: Option<Method>,
    /// The template of its path.
    pub route: Option<Arc<str>>,
    /// Its path, without query.
    pub path: Option<String>,
    /// Address of the client's end of the connection.
    pub client: Option<String>,
    /// The id of request and answer.
    pub request_id: Option<String>,
    /// What the client got.
    pub status: u16,
    /// Outcome of a call of gRPC.
    pub grpc_status: Option<u32>,
    /// Whose fault it was.
    pub fault: Option<&'static str>,
    /// Why there was no whole answer.
    pub error: Option<&'static str>,
    /// Whether the upstream or the agent failed.
    pub has_failed: bool,
    /// How long the upstream took for the head of its answer.
    pub upstream: Option<Duration>,
    /// What was read of the bodies.
    pub seen: Option<Seen>,
}

/// What was read of the bodies of an exchange.
#[derive(Debug)]
pub struct Seen {
    /// The model's name.
    pub model: String,
    /// Its version.
    pub version: String,
    /// Items that were predicted.
    pub items: usize,
    /// Of these, items with a class.
    pub classes: usize,
}

impl Line {
    fn held_bytes(&self) -> usize {
        size_of::<Self>() + self.text.len()
    }
}

impl Span {
    fn held_bytes(&self) -> usize {
        let held = |text: &Option<String>| text.as_ref().map_or(0, String::capacity);
        let seen = self.seen.as_ref();
        let seen = seen.map_or(0, |seen| seen.model.capacity() + seen.version.capacity());
        size_of::<Self>() + held(&self.path) + held(&self.client) + held(&self.request_id) + seen
    }
}

/// Where lines and spans are handed over. The default leads nowhere.
#[derive(Clone, Default)]
pub struct Outlet(Option<Arc<Ways>>);

/// The other ends of both ways.
type Queues = (Arc<Queue<Line>>, Arc<Queue<Span>>);

struct Ways {
    lines: Way<Line>,
    spans: Way<Span>,
}

/// The way of one signal.
struct Way<T> {
    is_wanted: AtomicBool,
    queue: Arc<Queue<T>>,
    counts: Counts,
}

impl<T> Way<T> {
    fn new(counts: &Counts, settings: &Settings) -> Self {
        let (records, bytes) = settings.room();
        Self {
            is_wanted: AtomicBool::new(false),
            queue: Arc::new(Queue::new(records, bytes)),
            counts: counts.clone(),
        }
    }

    fn apply(&self, signal: Signal, settings: &Settings) {
        let (records, bytes) = settings.room();
        self.queue.limit(records, bytes);
        self.is_wanted
            .store(settings.wants(signal), Ordering::Relaxed);
    }

    fn put(&self, record: T, bytes: usize) {
        if !self.queue.put(record, bytes) {
            self.counts.ended(Outcome::Dropped, 1);
        }
    }

    fn clear(&self) {
        self.counts.ended(Outcome::Dropped, self.queue.clear());
    }

    fn show(&self, signal: Signal, table: &mut Table) {
        let (records, bytes) = self.queue.depth();
        let labels = [signal.word()];
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
        for (family, value) in [
            (&catalogue::OTLP_QUEUE_RECORDS, records as f64),
            (&catalogue::OTLP_QUEUE_BYTES, bytes as f64),
        ] {
            table.push(family, &labels, value);
        }
    }
}

impl Outlet {
    pub(super) fn new(lines: &Counts, spans: &Counts, settings: &Settings) -> Self {
        let ways = Ways {
            lines: Way::new(lines, settings),
            spans: Way::new(spans, settings),
        };
        let outlet = Self(Some(Arc::new(ways)));
        outlet.apply(settings);
        outlet
    }

    /// Goes by other settings; what waits stays.
    pub(super) fn apply(&self, settings: &Settings) {
        if let Some(ways) = &self.0 {
            ways.lines.apply(Signal::Logs, settings);
            ways.spans.apply(Signal::Traces, settings);
        }
    }

    /// Has `metrics` show what waits.
    pub(super) fn show(&self, metrics: &Metrics) {
        let Some(ways) = self.0.clone() else { return };
        metrics.add_collector(move |table| {
            ways.lines.show(Signal::Logs, table);
            ways.spans.show(Signal::Traces, table);
        });
    }

    /// The other ends.
    pub(super) fn queues(&self) -> Option<Queues> {
        let ways = self.0.as_ref()?;
        Some((Arc::clone(&ways.lines.queue), Arc::clone(&ways.spans.queue)))
    }

    /// Drops what waits.
    pub(super) fn clear(&self) {
        if let Some(ways) = &self.0 {
            ways.lines.clear();
            ways.spans.clear();
        }
    }

    /// Whether lines are exported now.
    pub fn wants_lines(&self) -> bool {
        let is_wanted = |ways: &Arc<Ways>| ways.lines.is_wanted.load(Ordering::Relaxed);
        self.0.as_ref().is_some_and(is_wanted)
    }

    /// Whether spans are exported now.
    pub fn wants_spans(&self) -> bool {
        let is_wanted = |ways: &Arc<Ways>| ways.spans.is_wanted.load(Ordering::Relaxed);
        self.0.as_ref().is_some_and(is_wanted)
    }

    /// Hands a line over.
    pub fn line(&self, line: Line) {
        if let Some(ways) = &self.0 {
            let bytes = line.held_bytes();
            ways.lines.put(line, bytes);
        }
    }

    /// Hands a span over.
    pub fn span(&self, span: Span) {
        if let Some(ways) = &self.0 {
            let bytes = span.held_bytes();
            ways.spans.put(span, bytes);
        }
    }
}

impl fmt::Debug for Outlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Outlet({})", self.0.is_some())
    }
}
