//! One client's connection, from its first byte to its close.

use std::{
    pin::{Pin, pin},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use ::metrics::Counter;
use hyper::{
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::sync::OwnedSemaphorePermit;

use super::{
    failure::Failure,
    io::{Client, Greeting, Socket},
    local::Local,
    service,
    streams::{Streams, Wire},
    thread::Thread,
    wake::{Bell, Belled},
};
use crate::{config, drain::Phase, panics::CountUnwinding};

/// How long a client of HTTP/2 may keep a connection on which nothing will be answered.
const QUIET: Duration = Duration::from_secs(1);
/// Bytes that a client may send on one stream before the upstream takes them. All streams together
/// have room for each: one that is not taken holds up no other.
const STREAM_WINDOW: u32 = 128 << 10;
/// The largest window there is (RFC 9113, section 6.9.1).
const MAX_WINDOW: u32 = (1 << 31) - 1;
/// Bytes of one answer that wait for a client to make room.
const SEND_BUFFER: usize = 64 << 10;

/// How both versions are served.
pub(super) struct Http {
    one: http1::Builder,
    two: http2::Builder<Local>,
}

impl Http {
    /// `panics`: counts those of streams.
    pub(super) fn new(settings: &config::Proxy, panics: Counter) -> Self {
        let mut one = http1::Builder::new();
        one.auto_date_header(false)
            .preserve_header_case(settings.preserve_header_case)
            .max_headers(settings.max_fields)
            .max_header_size(settings.max_head)
            // a client that closes its sending end has left, as far as anyone can tell
            .half_close(false)
            .header_read_timeout(None);
        let mut two = http2::Builder::new(Local(panics));
        // what is a little too large is refused by `sanitize`, which counts it
        let most = u32::try_from(settings.max_head.saturating_mul(2)).unwrap_or(u32::MAX);
        let streams = u32::try_from(settings.max_streams).unwrap_or(u32::MAX);
        let window = STREAM_WINDOW.saturating_mul(streams).min(MAX_WINDOW);
        two.auto_date_header(false)
            .max_concurrent_streams(streams)
            .max_header_list_size(most)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(window)
            .max_send_buf_size(SEND_BUFFER);
        Self { one, two }
    }
}

/// Ends when the system was asked what has arrived, which a thread does between its tasks.
pub(super) async fn a_look_at_the_sockets() {
    for _ in 0..2 {
        tokio::task::yield_now().await;
    }
}

/// A client's connection, and what is held for it.
pub(super) struct Connection {
    pub(super) client: Rc<Client>,
    pub(super) thread: Rc<Thread>,
    pub(super) _permit: OwnedSemaphorePermit,
}

impl Connection {
    /// Serves one client until it leaves or the drain ends it.
    pub(super) async fn serve(self, http: Rc<Http>) {
        // a panic loses the connection, and the thread goes on
        let _count = CountUnwinding(self.thread.counts.panics.clone());
        let stopped = self.thread.reached(Phase::Stopped);
        let serving = async {
            if self.shake_hands().await {
                self.speak(&http).await;
            }
            // in a box: most of the time nothing of it is needed
            Box::pin(self.client.end()).await;
        };
        tokio::select! {
            () = serving => {}
            () = stopped => {}
        }
    }

    /// TLS, where it is asked for.
    async fn shake_hands(&self) -> bool {
        let Some(tls) = self.thread.settings.borrow().tls.clone() else {
            return true;
        };
        let shaking = Box::pin(self.client.secure(&tls));
        tokio::select! {
            is_secure = shaking => is_secure,
            () = self.thread.reached(Phase::Draining) => false,
        }
    }

    /// HTTP, for as long as it is that. Each version in a box, gone while the client is parked.
    async fn speak(&self, http: &Http) {
        match self.greeting().await {
            Greeting::Http2 => Box::pin(self.speak_http2(&http.two)).await,
            Greeting::Foreign => self.client.turn_away(Failure::BadRequest),
            Greeting::Nothing => {}
            Greeting::Http1 => loop {
                Box::pin(self.speak_http1(&http.one)).await;
                if !self.client.is_parked() || !self.wakes().await {
                    return;
                }
            },
        }
    }

    async fn greeting(&self) -> Greeting {
        let greeting = pin!(self.client.greeting());
        let greeting = self.until_drained(greeting).await;
        greeting.unwrap_or(Greeting::Nothing)
    }

    async fn wakes(&self) -> bool {
        let waking = pin!(self.client.wakes());
        self.until_drained(waking).await.unwrap_or(false)
    }

    /// What `waiting` gives; `None`: the drain began first. What has arrived by then still counts.
    async fn until_drained<T>(&self, mut waiting: Pin<&mut impl Future<Output = T>>) -> Option<T> {
        tokio::select! {
            biased;
            outcome = waiting.as_mut() => return Some(outcome),
            () = self.thread.reached(Phase::Draining) => {}
        }
        tokio::select! {
            biased;
            outcome = waiting => Some(outcome),
            () = a_look_at_the_sockets() => None,
        }
    }

    async fn speak_http1(&self, http: &http1::Builder) {
        let socket = TokioIo::new(Socket::new(Rc::clone(&self.client)));
        let (thread, client) = (Rc::clone(&self.thread), Rc::clone(&self.client));
        let bell = Bell::new();
        let of_request = Arc::clone(&bell);
        let service = service_fn(move |request| {
            let (thread, client) = (Rc::clone(&thread), Rc::clone(&client));
            service::answer(thread, client, Arc::clone(&of_request), request)
        });
        let connection = http.serve_connection(socket, service);
        let mut connection = pin!(Belled::new(connection, bell));
        // what goes wrong with a request is in its record; the rest is a client that left
        if self.until_drained(connection.as_mut()).await.is_some() {
            return;
        }
        connection.connection().graceful_shutdown();
        tokio::select! {
            _ = connection => {}
            // a head that does not end must not hold up the drain
            () = self.client.quiet() => {}
        }
    }

    async fn speak_http2(&self, http: &http2::Builder<Local>) {
        let streams = Streams::new(Rc::clone(&self.client));
        let socket = TokioIo::new(Wire::new(Rc::clone(&self.client)));
        let (thread, opened) = (Rc::clone(&self.thread), Rc::clone(&streams));
        let service = service_fn(move |request| {
            service::answer_stream(Rc::clone(&thread), opened.open(), request)
        });
        let idle = self.thread.settings.borrow().client_idle;
        let end = self.end_of_http2();
        let mut connection = pin!(http.serve_connection(socket, service));
        tokio::select! {
            outcome = connection.as_mut() => return self.part(&outcome),
            () = self.thread.reached(end) => {}
            () = streams.quiet(idle) => self.client.count_idle(),
        }
        connection.as_mut().graceful_shutdown();
        tokio::select! {
            _ = connection => {}
            () = streams.quiet(QUIET) => {}
        }
    }

    /// A client that is told to go as soon as the agent leaves finds another in time; one that comes
    /// later is served until the drain begins.
    fn end_of_http2(&self) -> Phase {
        match self.thread.phase() {
            Phase::Serving => Phase::Leaving,
            _ => Phase::Draining,
        }
    }

    fn part<E>(&self, outcome: &Result<(), E>) {
        if outcome.is_err() {
            // it was told why, and may be sending still
            self.client.expect_more();
        }
    }
}
