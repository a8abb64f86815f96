//! Idle connections of HTTP/1: last in, first out.

use std::{
    cell::RefCell,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use hyper::client::conn::http1::SendRequest;

use super::Names;
use crate::proxy::{link::Received, outgoing::Outgoing, wake::Bell};

/// One connection to the upstream, usable when ready.
pub(in crate::proxy) struct Connection {
    pub(in crate::proxy) sender: SendRequest<Outgoing>,
    pub(in crate::proxy) received: Received,
    pub(super) bell: Arc<Bell>,
    pub(super) peer: IpAddr,
    /// The upstream's addresses when it was made.
    pub(super) generation: u32,
}

/// Idle connections, the most recently used last.
pub(in crate::proxy) struct Pool {
    idle: RefCell<Vec<Connection>>,
    max: usize,
}

impl Connection {
    /// Since its last answer ended, which is when something came last.
    fn was_idle_for(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.received.heard())
    }
}

impl Pool {
    /// Keeps at most `max` idle connections.
    pub(in crate::proxy) fn new(max: usize) -> Self {
        Self {
            idle: RefCell::default(),
            max,
        }
    }

    /// The most recently used connection that can take a request at once, and from which something
    /// came within `idle_limit` before `now`.
    pub(in crate::proxy) fn take(&self, idle_limit: Duration, now: Instant) -> Option<Connection> {
        let mut idle = self.idle.borrow_mut();
        let usable = idle.iter().rposition(|connection| {
            connection.sender.is_ready()
                && connection.was_idle_for(now) < idle_limit
                && connection.received.is_silent()
        })?;
        Some(idle.remove(usable))
    }

    /// Closes what is closed at the other end, has been idle for too long, or leads nowhere.
    pub(in crate::proxy) fn prune(&self, idle_limit: Duration, names: &Names) {
        let now = Instant::now();
        self.idle.borrow_mut().retain(|connection| {
            !connection.sender.is_closed()
                && connection.was_idle_for(now) < idle_limit
                && names.leads_to(connection.peer, connection.generation)
        });
    }

    pub(super) fn give(&self, connection: Connection, names: &Names) {
        let mut idle = self.idle.borrow_mut();
        let is_usable = !connection.sender.is_closed()
            && names.leads_to(connection.peer, connection.generation);
        if is_usable && idle.len() < self.max {
            idle.push(connection);
        }
    }
}
