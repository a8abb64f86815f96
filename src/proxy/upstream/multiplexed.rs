//! Connections of HTTP/2: each carries many requests at once.

use std::{
    cell::{Cell, RefCell},
    net::IpAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use hyper::client::conn::http2::SendRequest;
use tokio::sync::Mutex;

use super::{Names, dial};
use crate::proxy::{failure::Failure, outgoing::Outgoing, thread::Thread};

/// Requests on one connection; most servers allow 100 or more. Where one allows fewer, the rest of
/// them wait in its turn.
const MOST: usize = 100;

/// Sends requests on a connection.
pub(super) type Sender = SendRequest<Outgoing>;

/// The connections of one data thread.
#[derive(Default)]
pub(in crate::proxy) struct Multiplexed {
    open: RefCell<Vec<Shared>>,
    /// Who makes a connection; others wait for it, so that a burst does not make one each.
    dialing: Mutex<()>,
}

struct Shared {
    sender: Sender,
    load: Rc<Load>,
    peer: IpAddr,
    generation: u32,
}

/// How much a connection carries.
struct Load {
    streams: Cell<usize>,
    /// It takes no more requests; those on it go on.
    is_over: Cell<bool>,
    /// When the last stream ended.
    since: Cell<Instant>,
}

/// Room for one request on a connection.
pub(in crate::proxy) struct Slot {
    pub(in crate::proxy) sender: Sender,
    /// Whether the connection was there before.
    pub(in crate::proxy) is_reused: bool,
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
    fn is_usable(&self, names: &Names) -> bool {
        !self.load.is_over.get()
            && !self.sender.is_closed()
            && names.leads_to(self.peer, self.generation)
    }

    fn slot(&self, is_reused: bool) -> Slot {
        self.load.streams.set(self.load.streams.get() + 1);
        Slot {
            sender: self.sender.clone(),
            is_reused,
            load: Rc::clone(&self.load),
        }
    }
}

impl Multiplexed {
    /// Room on a connection that is there, or on a new one.
    pub(in crate::proxy) async fn slot(
        &self,
        thread: &Thread,
        patience: Duration,
    ) -> Result<Slot, Failure> {
        let slot = self.open(thread, patience, true).await?;
        slot.ok_or(Failure::BadAnswer)
    }

    /// Room if the upstream speaks HTTP/2: that is waited for.
    pub(in crate::proxy) async fn try_slot(
        &self,
        thread: &Thread,
        patience: Duration,
    ) -> Result<Option<Slot>, Failure> {
        self.open(thread, patience, false).await
    }

    async fn open(
        &self,
        thread: &Thread,
        patience: Duration,
        is_known: bool,
    ) -> Result<Option<Slot>, Failure> {
        if let Some(slot) = self.find(thread) {
            return Ok(Some(slot));
        }
        let _turn = self.dialing.lock().await;
        if let Some(slot) = self.find(thread) {
            return Ok(Some(slot));
        }
        let dialed = dial::http2(thread, patience, is_known).await?;
        Ok(dialed.map(|(sender, peer, generation)| {
            let shared = Shared {
                sender,
                load: Rc::new(Load {
                    streams: Cell::default(),
                    is_over: Cell::default(),
                    since: Cell::new(Instant::now()),
                }),
                peer,
                generation,
            };
            let slot = shared.slot(false);
            self.open.borrow_mut().push(shared);
            slot
        }))
    }

    fn find(&self, thread: &Thread) -> Option<Slot> {
        let open = self.open.borrow();
        open.iter()
            .find(|shared| shared.load.streams.get() < MOST && shared.is_usable(&thread.names))
            .map(|shared| shared.slot(true))
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
