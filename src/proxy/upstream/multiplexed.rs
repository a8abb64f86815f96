//! Connections of HTTP/2: each carries many requests at once.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::{sync::watch, time::timeout};

use super::{
    Names,
    dial::{self, Http2, Sender},
};
use crate::proxy::{failure::Failure, thread::Thread};

/// Most requests on one connection, where the upstream allows as many.
const MOST: usize = 100;
/// Silence of an upstream that has requests to answer, after which others go elsewhere: it may be
/// slow, and it may be gone without a word.
const SILENCE: Duration = Duration::from_secs(10);

/// The connections of one data thread.
#[derive(Default)]
pub(in crate::proxy) struct Multiplexed {
    open: RefCell<Vec<Shared>>,
    /// What comes of the dial that runs: all who want a connection meanwhile wait for it.
    dialing: RefCell<Option<watch::Receiver<Option<Dialed>>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialed {
    Open,
    /// The upstream answers in HTTP/1.
    Http1,
    /// It says nothing.
    Silent,
    Failed(Failure),
}

/// What is found out of an upstream of which it is not known what it speaks.
pub(in crate::proxy) enum Found {
    /// HTTP/2: there is room.
    Http2,
    /// HTTP/1.
    Http1,
    /// It said nothing in time.
    Nothing,
}

struct Shared {
    connection: Http2,
    load: Rc<Load>,
}

/// How much a connection carries.
struct Load {
    streams: Cell<usize>,
    /// It takes no more requests; those on it go on.
    is_over: Cell<bool>,
    /// When it began to have streams, or to have none.
    since: Cell<Instant>,
}

/// Room for one request on a connection.
pub(in crate::proxy) struct Slot {
    pub(in crate::proxy) sender: Sender,
    load: Rc<Load>,
}

impl Slot {
    /// Nobody gets room on its connection again, as after a GOAWAY: hyper says so only a moment later.
    pub(in crate::proxy) fn give_up(&self) {
        self.load.is_over.set(true);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.load.streams.set(self.load.streams.get() - 1);
        self.load.since.set(Instant::now());
    }
}

impl Shared {
    fn new(connection: Http2) -> Self {
        Self {
            connection,
            load: Rc::new(Load {
                streams: Cell::default(),
                is_over: Cell::default(),
                since: Cell::new(Instant::now()),
            }),
        }
    }

    fn is_usable(&self, names: &Names) -> bool {
        let connection = &self.connection;
        !self.load.is_over.get()
            && !connection.sender.is_closed()
            && names.leads_to(connection.peer, connection.generation)
    }

    fn has_room(&self) -> bool {
        let streams = self.load.streams.get();
        let heard = self.connection.received.heard().max(self.load.since.get());
        let is_silent = streams > 0 && heard.elapsed() >= SILENCE;
        streams < MOST.min(self.connection.allowed().max(1)) && !is_silent
    }

    fn slot(&self) -> Slot {
        let load = &self.load;
        if load.streams.get() == 0 {
            load.since.set(Instant::now());
        }
        load.streams.set(load.streams.get() + 1);
        Slot {
            sender: self.connection.sender.clone(),
            load: Rc::clone(load),
        }
    }
}

impl Multiplexed {
    /// Room on a connection that is there, or on a new one, within `patience`.
    pub(in crate::proxy) async fn slot(
        &self,
        thread: &Rc<Thread>,
        patience: Duration,
    ) -> Result<Slot, Failure> {
        let finding = async {
            loop {
                if let Some(slot) = self.find(thread) {
                    return Ok(slot);
                }
                if let Dialed::Failed(failure) = self.dialed(thread, patience, true).await {
                    return Err(failure);
                }
            }
        };
        timeout(patience, finding)
            .await
            .unwrap_or(Err(Failure::ConnectTimeout))
    }

    /// Whether the upstream speaks HTTP/2.
    pub(in crate::proxy) async fn find_out(
        &self,
        thread: &Rc<Thread>,
        patience: Duration,
    ) -> Result<Found, Failure> {
        if self.find(thread).is_some() {
            return Ok(Found::Http2);
        }
        match timeout(patience, self.dialed(thread, patience, false)).await {
            Ok(Dialed::Open) => Ok(Found::Http2),
            Ok(Dialed::Http1) => Ok(Found::Http1),
            Ok(Dialed::Failed(failure)) => Err(failure),
            Ok(Dialed::Silent) | Err(_) => Ok(Found::Nothing),
        }
    }

    /// Waits for the dial that runs, or for a new one.
    async fn dialed(&self, thread: &Rc<Thread>, patience: Duration, is_known: bool) -> Dialed {
        let mut outcome = self.dial(thread, patience, is_known);
        let outcome = outcome.wait_for(Option::is_some).await;
        // its task panicked, which is counted
        outcome.map_or(Dialed::Failed(Failure::Panic), |dialed| {
            dialed.unwrap_or(Dialed::Silent)
        })
    }

    fn dial(
        &self,
        thread: &Rc<Thread>,
        patience: Duration,
        is_known: bool,
    ) -> watch::Receiver<Option<Dialed>> {
        let mut dialing = self.dialing.borrow_mut();
        if let Some(running) = dialing.as_ref().filter(|d| d.has_changed().is_ok()) {
            return running.clone();
        }
        let (tell, told) = watch::channel(None);
        *dialing = Some(told.clone());
        let thread = Rc::clone(thread);
        tokio::task::spawn_local(async move {
            let outcome = match dial::http2(&thread, patience, is_known).await {
                Ok(dial::Tried::Open(connection)) => {
                    let mut open = thread.multiplexed.open.borrow_mut();
                    open.push(Shared::new(connection));
                    Dialed::Open
                }
                Ok(dial::Tried::Http1) => Dialed::Http1,
                Ok(dial::Tried::Silent) => Dialed::Silent,
                Err(failure) => Dialed::Failed(failure),
            };
            // who waited may have left
            let _ = tell.send(Some(outcome));
        });
        told
    }

    fn find(&self, thread: &Thread) -> Option<Slot> {
        let open = self.open.borrow();
        open.iter()
            .find(|shared| shared.is_usable(&thread.names) && shared.has_room())
            .map(Shared::slot)
    }

    /// Closes what is closed at the other end, has been idle for too long, or leads nowhere; the
    /// requests on it end first.
    pub(in crate::proxy) fn prune(&self, idle_limit: Duration, names: &Names) {
        self.open.borrow_mut().retain(|shared| {
            let load = &shared.load;
            let is_idle = load.streams.get() == 0 && load.since.get().elapsed() >= idle_limit;
            shared.is_usable(names) && !is_idle
        });
    }
}
