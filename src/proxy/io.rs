//! The client's end of a connection.
//!
//! hyper reads and writes through [`Socket`], which adds what hyper does not do: deadlines, a look
//! at chunk lines, 1xx, fields on the answers that hyper makes itself, and a close that does not
//! take the answer with it. [`Client`] is what the socket and the requests on it share.

mod deadline;
mod farewell;
#[cfg(any(test, fuzzing))]
pub(super) mod followed;
mod frames;
mod framing;
mod greeting;
mod own_answer;
mod socket;

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    net::IpAddr,
    pin::{Pin, pin},
    rc::Rc,
    task::{Poll, Waker},
    time::Duration,
};

use http::{Request, header};
use hyper::body::{Body, Incoming};
use tokio::{
    net::TcpStream,
    time::{Instant, Sleep, timeout},
};

use super::{
    failure::Failure, interim::Interim, thread::Thread, transport::Transport, tunnel,
    upstream::Leftover,
};
use crate::tls;
use framing::{BodyEnd, Framing};

pub(super) use frames::Frames;
pub(super) use greeting::{Greeting, PREFACE};
pub(super) use socket::Socket;

/// How long a client may take to complete a head once the agent drains.
const QUIET: Duration = Duration::from_secs(1);

/// One client connection, shared by its socket and the requests that came on it.
pub(super) struct Client {
    pub(super) address: IpAddr,
    thread: Rc<Thread>,
    /// Taken when hyper is done with it.
    stream: RefCell<Option<Transport>>,
    framing: RefCell<Framing>,
    /// Heads that hyper has read.
    heads: Cell<u64>,
    /// Bytes that came from the client.
    received: Cell<u64>,
    /// Whether a request is under way: from its head to the end of its answer.
    is_busy: Cell<bool>,
    /// Responses that hyper has and whose bodies have not ended.
    open: Cell<usize>,
    /// Whether the client may be sending what nobody reads.
    expects_more: Cell<bool>,
    /// Until when a client that takes nothing is waited for.
    stall: RefCell<Option<Pin<Box<Sleep>>>>,
    /// Whether hyper may hold bytes of a response that have not left.
    unsent: Cell<bool>,
    /// Whether the head took too long.
    is_late: Cell<bool>,
    /// Whether hyper was told that the connection ends, and it waits for its next request instead.
    is_parked: Cell<bool>,
    /// How many heads there were when it was parked first, and since when there was no other.
    rested: Cell<Option<(u64, Instant)>>,
    /// Bytes that were read to find out what the client speaks.
    early: RefCell<Vec<u8>>,
    interims: RefCell<Interims>,
    far: Cell<Option<Leftover>>,
}

/// Interim answers on their way to the client.
#[derive(Default)]
struct Interims {
    bytes: Vec<u8>,
    sent: usize,
    waits: Option<Waker>,
}

impl Client {
    pub(super) fn new(stream: TcpStream, address: IpAddr, thread: Rc<Thread>) -> Rc<Self> {
        Rc::new(Self {
            address,
            thread,
            stream: RefCell::new(Some(Transport::Plain(stream))),
            framing: RefCell::new(Framing::new()),
            heads: Cell::default(),
            received: Cell::default(),
            is_busy: Cell::default(),
            open: Cell::default(),
            expects_more: Cell::default(),
            stall: RefCell::default(),
            unsent: Cell::default(),
            is_late: Cell::default(),
            is_parked: Cell::default(),
            rested: Cell::default(),
            early: RefCell::default(),
            interims: RefCell::default(),
            far: Cell::default(),
        })
    }

    /// Shakes hands; `false`: it came to nothing, which is counted.
    pub(super) async fn secure(&self, tls: &tls::Server) -> bool {
        let Some(Transport::Plain(stream)) = self.stream.take() else {
            return false;
        };
        let patience = self.head_timeout();
        let Ok(Ok(stream)) = timeout(patience, tls.accept(stream)).await else {
            self.thread.counts.tls_failures.increment(1);
            return false;
        };
        self.stream
            .replace(Some(Transport::Accepted(Box::new(stream))));
        true
    }

    /// How long a head may take.
    pub(super) fn head_timeout(&self) -> Duration {
        self.thread.settings.borrow().head_timeout
    }

    /// Waits until nothing has been under way for [`QUIET`], a head that has begun aside.
    pub(super) async fn quiet(&self) {
        loop {
            let before = (self.heads.get(), self.body_bytes());
            tokio::time::sleep(QUIET).await;
            let is_same = before == (self.heads.get(), self.body_bytes());
            if is_same && !self.is_busy.get() && !self.has_response() {
                return;
            }
        }
    }

    /// What shows that the rest of a body goes on coming.
    fn body_bytes(&self) -> u64 {
        if self.framing.borrow().is_in_body() {
            self.received.get()
        } else {
            0
        }
    }

    /// hyper has read a head: says how its body ends to who follows the bytes.
    pub(super) fn head_read(&self, request: &Request<Incoming>) -> Result<(), Failure> {
        self.heads.set(self.heads.get() + 1);
        self.is_busy.set(true);
        let fields = request.headers();
        let length = request.body().size_hint().exact();
        let end = match length {
            _ if fields.contains_key(header::TRANSFER_ENCODING) => BodyEnd::Chunked,
            Some(0) if fields.contains_key(header::UPGRADE) => BodyEnd::Undecided,
            length => BodyEnd::Length(length.unwrap_or_default()),
        };
        let outcome = self.framing.borrow_mut().head_read(end);
        outcome.map_err(|_| Failure::RequestBody)
    }

    /// There is an answer: unless it agrees to a tunnel, what follows is HTTP.
    pub(super) fn settle(&self) {
        let far = self.far.take();
        if far.is_none() {
            // a body of no bytes has no chunk that could be bad
            let _ = self.framing.borrow_mut().stay();
        }
        self.far.set(far);
    }

    /// Bytes go to and from `far` once the answer that says so has left.
    pub(super) fn tunnel_to(&self, far: Leftover) {
        self.far.set(Some(far));
    }

    /// A response is handed to hyper.
    pub(super) fn answer_begins(&self) {
        self.open.set(self.open.get() + 1);
        self.unsent.set(true);
    }

    /// Its body has ended.
    pub(super) fn answer_ended(&self) {
        self.open.set(self.open.get() - 1);
        self.unsent.set(true);
        self.is_busy.set(false);
    }

    fn has_response(&self) -> bool {
        self.open.get() > 0 || self.unsent.get()
    }

    /// Waits for `answer`, and sends the client what comes before it.
    pub(super) async fn pass_on<F: Future>(&self, interim: &Interim, answer: F) -> F::Output {
        let mut answer = pin!(answer);
        let outcome = poll_fn(|cx| {
            let outcome = answer.as_mut().poll(cx);
            let heads = interim.take(cx);
            if !heads.is_empty() {
                // hyper flushes the socket when it has asked here: then they leave
                self.interims.borrow_mut().bytes.extend(heads);
            }
            outcome
        })
        .await;
        poll_fn(|cx| self.interims.borrow_mut().poll_sent(cx.waker())).await;
        outcome
    }

    /// What the client still sends is read before the connection closes.
    pub(super) fn expect_more(&self) {
        self.expects_more.set(true);
    }

    /// hyper is done with the connection: carries it on as a tunnel, or closes it.
    pub(super) async fn end(&self) {
        let Some(stream) = self.stream.take() else {
            return;
        };
        match self.far.take() {
            Some(far) => {
                let early = self.framing.borrow_mut().leave();
                tunnel::run(stream, &early, far).await;
            }
            None => self.farewell(stream).await,
        }
    }
}

impl Interims {
    fn poll_sent(&mut self, waker: &Waker) -> Poll<()> {
        if self.bytes.is_empty() {
            return Poll::Ready(());
        }
        self.waits = Some(waker.clone());
        Poll::Pending
    }
}
