//! What one request was: filled in as it travels, counted and handed over when its last part ends.

use std::{
    cell::{Cell, RefCell},
    net::IpAddr,
    rc::Rc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http::{request, response};
use hyper::body::Body;
use tokio::sync::OwnedSemaphorePermit;

use super::{failure::Failure, request_id, thread::Thread};
use crate::capture::{
    Exchange, Fault,
    policy::{self, Interest},
    tee::{Captured, End, Report, Tee},
};

/// One request. Shared by the bodies of both directions: when the last of them is gone, so is
/// the record, and `drop` counts it. So each request is counted once, whatever became of it.
pub(super) struct Record {
    thread: Rc<Thread>,
    started: Instant,
    /// When the last byte of the request had been read.
    sent: Cell<Option<Instant>>,
    answered: Cell<Option<Instant>>,
    answer_exists: Cell<bool>,
    /// Given back with the record.
    permit: Cell<Option<OwnedSemaphorePermit>>,
    panicked: Cell<bool>,
    exchange: RefCell<Option<Box<Exchange>>>,
}

/// Tells the record how the request's body ended.
pub(super) struct RequestEnd(Rc<Record>);

/// Tells the record how the answer's body ended.
pub(super) struct ResponseEnd(Rc<Record>);

impl Record {
    /// Begins with the head of a request.
    pub(super) fn open(
        thread: &Rc<Thread>,
        client: IpAddr,
        head: &request::Parts,
        id: &http::HeaderValue,
    ) -> Rc<Self> {
        let started = Instant::now();
        let path = head.uri.path();
        let settings = thread.settings.borrow();
        let route = settings.routes.find(path).cloned();
        let mut interest = policy::interest(&head.method, path, &head.headers, route.as_deref());
        if interest == Interest::Head
            && settings.wants_labels
            && policy::tells_labels(&head.method, path, &head.headers, route.as_deref())
        {
            interest = Interest::Labels;
        }
        let mut exchange = blank(thread, client, id);
        exchange.trace_id = request_id::trace_id(&head.headers);
        #[cfg(feature = "otlp")]
        {
            exchange.parent = request_id::parent(&head.headers);
        }
        exchange.method = Some(head.method.clone());
        exchange
            .path
            .push_str(&path[..path.floor_char_boundary(Exchange::MAX_PATH)]);
        exchange.route = route;
        exchange.interest = interest;
        exchange.note_query(head.uri.query(), &head.headers, settings.body_limit);
        if exchange.interest != Interest::Head {
            exchange.note_request(&head.headers);
            if settings.wants_labels {
                exchange.note_puid(&head.headers);
            }
        }
        Rc::new(Self::begin(thread, exchange, started))
    }

    /// Counts a request that no service saw: its head could not be read, or took too long.
    pub(super) fn unreadable(
        thread: &Rc<Thread>,
        client: IpAddr,
        id: &http::HeaderValue,
        failure: Failure,
    ) {
        Self::begin(thread, blank(thread, client, id), Instant::now()).failed(failure);
    }

    fn begin(thread: &Rc<Thread>, exchange: Box<Exchange>, started: Instant) -> Self {
        thread.counts.active.increment(1.0);
        Self {
            thread: Rc::clone(thread),
            started,
            sent: Cell::default(),
            answered: Cell::default(),
            answer_exists: Cell::default(),
            permit: Cell::default(),
            panicked: Cell::default(),
            exchange: RefCell::new(Some(exchange)),
        }
    }

    /// Most bytes of a body that are worth keeping, if one of those is wanted of it.
    fn copy_limit(&self, wanting: &[Interest]) -> usize {
        let wanted = self.with(|e| wanting.contains(&e.interest));
        if wanted == Some(true) {
            self.thread.settings.borrow().body_limit
        } else {
            0
        }
    }

    /// The request's body on its way, copied as far as it is worth keeping.
    pub(super) fn tee_request<B>(self: &Rc<Self>, body: B) -> Tee<B, RequestEnd>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let room = self.with(|e| e.request.take_room()).unwrap_or_default();
        let limit = self.copy_limit(&[Interest::Bodies, Interest::Labels]);
        Tee::new(body, limit, room, RequestEnd(Rc::clone(self)))
    }

    /// The answer's body likewise; the record ends with both.
    pub(super) fn tee_response<B>(self: Rc<Self>, body: B) -> Tee<B, ResponseEnd>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let room = self.with(|e| e.response.take_room()).unwrap_or_default();
        let limit = self.copy_limit(&[Interest::Bodies]);
        Tee::new(body, limit, room, ResponseEnd(self))
    }

    /// It may be under way, and takes this room while it is.
    pub(super) fn enter(&self, permit: OwnedSemaphorePermit) {
        self.permit.set(Some(permit));
    }

    /// The request goes to the upstream now, and when that is; called again when it is sent anew.
    pub(super) fn forwarded(&self) -> Instant {
        let now = Instant::now();
        self.with(|e| e.forwarded_after = Some(now.saturating_duration_since(self.started)));
        now
    }

    /// The moment from which the upstream's time counts: it has the whole request, or what of it
    /// there is. `None`: the client is still sending.
    pub(super) fn handed_over(&self) -> Option<Instant> {
        self.sent.get().map(|sent| sent.max(self.forwarded_at()))
    }

    /// When it was handed to the upstream last; its beginning where it was not.
    fn forwarded_at(&self) -> Instant {
        let after = self.with(|e| e.forwarded_after).flatten();
        self.started + after.unwrap_or_default()
    }

    /// The head of the upstream's answer is there.
    pub(super) fn answered(&self, head: &response::Parts) {
        let now = Instant::now();
        // an answer that is there before the request is whole took from when that was forwarded
        let since = self.handed_over().unwrap_or_else(|| self.forwarded_at());
        self.answered.set(Some(now));
        // a 401 for whatever path is asked for shows nothing
        self.answer_exists
            .set(matches!(head.status.as_u16(), 200..400 | 422));
        self.with(|e| {
            e.upstream = Some(now.saturating_duration_since(since));
            e.status = head.status.as_u16();
            e.fault = Fault::of_status(e.status);
            if e.interest == Interest::Bodies {
                e.note_response(&head.headers);
                if self.thread.settings.borrow().wants_labels {
                    e.note_puid(&head.headers);
                }
            }
            e.begin_call(&head.headers);
        });
    }

    /// There is no whole answer. The first reason stands: later ones follow from it.
    pub(super) fn failed(&self, failure: Failure) {
        self.with(|e| {
            if e.error.is_none() {
                e.error = Some(failure.reason());
                e.fault = Some(failure.fault());
                if e.status == 0 {
                    e.status = failure.status();
                }
                self.thread.counts.failed(failure);
            }
        });
    }

    /// Whether the client's body was read to its end.
    pub(super) fn request_ended(&self) -> bool {
        let is_whole = |copy: &Captured| matches!(copy.end, End::Complete | End::TooLong);
        self.with(|e| e.request.body.as_ref().is_some_and(is_whole))
            .unwrap_or_default()
    }

    /// Whether the client's body broke: then it is not the upstream's fault that nothing came.
    pub(super) fn request_broke(&self) -> bool {
        self.with(|e| {
            e.request
                .body
                .as_ref()
                .is_some_and(|b| b.end == End::Broken)
        })
        .unwrap_or_default()
    }

    /// Whether what sends the request to the upstream panicked: then nobody else is at fault.
    pub(super) fn panicked(&self) -> bool {
        self.panicked.get()
    }

    /// The answer goes to the client now: notes what the agent added so far.
    pub(super) fn answering(&self) {
        let Some(forwarded) = self.with(|e| e.forwarded_after).flatten() else {
            return;
        };
        let after = self
            .answered
            .get()
            .map(|at| at.elapsed())
            .unwrap_or_default();
        self.thread
            .counts
            .overhead
            .record((forwarded + after).as_secs_f64());
    }

    fn with<T>(&self, change: impl FnOnce(&mut Exchange) -> T) -> Option<T> {
        self.exchange.borrow_mut().as_deref_mut().map(change)
    }

    fn response_ended(&self, mut copy: Captured) {
        match copy.end {
            // an upstream that gets half a request may break off its answer to it
            End::Broken if self.request_broke() => self.failed(Failure::RequestBody),
            End::Broken => self.failed(Failure::ResponseBody),
            End::Dropped => self.failed(self.thread.cut_off()),
            End::Complete | End::TooLong => {}
        }
        self.with(|e| {
            e.duration = self.started.elapsed();
            e.end_call(copy.outcome.take());
            e.response.body = Some(copy);
        });
    }
}

impl Report for RequestEnd {
    fn report(self, copy: Captured) {
        self.0.sent.set(Some(Instant::now()));
        self.0.panicked.set(std::thread::panicking());
        self.0.with(|e| e.request.body = Some(copy));
    }
}

impl Report for ResponseEnd {
    fn report(self, copy: Captured) {
        self.0.response_ended(copy);
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if self.with(|e| e.status) == Some(0) {
            // the service was dropped before it had an answer
            self.failed(self.thread.cut_off());
        }
        let Some(mut exchange) = self.exchange.take() else {
            return;
        };
        if exchange.duration.is_zero() {
            exchange.duration = self.started.elapsed();
        }
        let endpoints = &self.thread.endpoints;
        let endpoint = match (&exchange.route, exchange.path.as_str()) {
            (Some(route), _) => endpoints.named(&route.endpoint),
            (None, "") => endpoints.other(),
            (None, path) => endpoints.of_path(path, self.answer_exists.get()),
        };
        exchange.endpoint = std::sync::Arc::clone(&endpoint.name);
        let method = exchange.method.as_ref();
        endpoint.requests(method, exchange.status).increment(1);
        endpoint.duration().record(exchange.duration.as_secs_f64());
        let counts = &self.thread.counts;
        counts.active.decrement(1.0);
        let interest = exchange.interest;
        match self.thread.offer.offer(exchange) {
            Ok(()) if interest != Interest::Bodies => counts.not_wanted.increment(1),
            Ok(()) => {}
            Err(shed) => counts.shed(shed),
        }
    }
}

fn since_1970() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

fn blank(thread: &Thread, client: IpAddr, id: &http::HeaderValue) -> Box<Exchange> {
    let mut exchange = thread.offer.blank();
    exchange
        .request_id
        .push_str(id.to_str().unwrap_or_default());
    exchange.client_ip = client;
    exchange.started = since_1970();
    exchange
}
