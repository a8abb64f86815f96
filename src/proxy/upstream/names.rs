//! Where the upstream is: its name, resolved.
//!
//! One lookup at a time, whatever waits for it: a resolver that hangs holds one thread and not one
//! for each request. Addresses are looked up again when a connection is needed and they are older
//! than [`FRESH`], and while there is traffic every [`REFRESH`], so that connections to an address
//! that the name no longer has are not used for ever.

use std::{
    cell::{Cell, RefCell},
    net::{IpAddr, SocketAddr},
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::sync::watch;

use super::super::failure::Failure;
use crate::config::Upstream;

/// How long addresses are taken as they are: a burst of new connections asks once.
const FRESH: Duration = Duration::from_secs(1);
/// How long without a look whether they changed.
const REFRESH: Duration = Duration::from_secs(5);

/// The addresses of one name.
#[derive(Default)]
pub(in crate::proxy) struct Names {
    known: RefCell<Known>,
    /// Rises when the addresses change.
    generation: Cell<u32>,
    /// Closed when the lookup that runs has ended.
    running: RefCell<Option<watch::Receiver<()>>>,
}

#[derive(Default)]
struct Known {
    addresses: Rc<[SocketAddr]>,
    looked_up: Option<Instant>,
    /// Why the last lookup found nothing.
    failure: Option<Failure>,
}

impl Names {
    /// The addresses of `upstream`, in the order in which they are tried.
    ///
    /// Where a lookup fails or takes longer than `patience`, the ones known before: a resolver that
    /// is down is no upstream that is down.
    pub(super) async fn resolve(
        self: &Rc<Self>,
        upstream: &Upstream,
        patience: Duration,
    ) -> Result<Rc<[SocketAddr]>, Failure> {
        if let Ok(ip) = upstream.host.parse::<IpAddr>() {
            return Ok(Rc::new([SocketAddr::new(ip, upstream.port)]));
        }
        if !self.is_older_than(FRESH) {
            return self.known();
        }
        let mut ended = self.look_up(upstream);
        // its other end is dropped, so this fails when the lookup has ended
        let _ = tokio::time::timeout(patience, ended.changed()).await;
        self.known()
    }

    /// Looks whether the addresses have changed, if that was not done for a while.
    pub(in crate::proxy) fn refresh(self: &Rc<Self>, upstream: &Upstream) {
        let is_asked_for = self.known.borrow().looked_up.is_some();
        if is_asked_for && self.is_older_than(REFRESH) {
            drop(self.look_up(upstream));
        }
    }

    /// Rises when the addresses change.
    pub(in crate::proxy) fn generation(&self) -> u32 {
        self.generation.get()
    }

    /// Whether a connection to `peer`, made in `generation`, still leads to the upstream.
    pub(super) fn leads_to(&self, peer: SocketAddr, generation: u32) -> bool {
        generation == self.generation.get() || self.known.borrow().addresses.contains(&peer)
    }

    fn is_older_than(&self, age: Duration) -> bool {
        let looked_up = self.known.borrow().looked_up;
        looked_up.is_none_or(|at| at.elapsed() >= age)
    }

    fn known(&self) -> Result<Rc<[SocketAddr]>, Failure> {
        let known = self.known.borrow();
        if known.addresses.is_empty() {
            return Err(known.failure.unwrap_or(Failure::ConnectTimeout));
        }
        Ok(Rc::clone(&known.addresses))
    }

    fn look_up(self: &Rc<Self>, upstream: &Upstream) -> watch::Receiver<()> {
        let mut running = self.running.borrow_mut();
        if let Some(running) = running.as_ref().filter(|r| r.has_changed().is_ok()) {
            return running.clone();
        }
        let (end, ended) = watch::channel(());
        *running = Some(ended.clone());
        let (names, upstream) = (Rc::clone(self), upstream.clone());
        tokio::task::spawn_local(async move {
            let found = tokio::net::lookup_host((upstream.host.as_str(), upstream.port)).await;
            names.found(found.map(Iterator::collect));
            drop(end);
        });
        ended
    }

    fn found(&self, found: std::io::Result<Vec<SocketAddr>>) {
        let mut known = self.known.borrow_mut();
        known.looked_up = Some(Instant::now());
        match found {
            Ok(found) if found.is_empty() => known.failure = Some(Failure::Unreachable),
            Ok(found) => {
                let is_same = found.len() == known.addresses.len()
                    && found
                        .iter()
                        .all(|address| known.addresses.contains(address));
                if !is_same {
                    self.generation.set(self.generation.get().wrapping_add(1));
                }
                known.addresses = found.into();
                known.failure = None;
            }
            Err(error) => known.failure = Some(Failure::from(&error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn addresses(ports: &[u16]) -> Vec<SocketAddr> {
        let of = |port: &u16| SocketAddr::from(([10, 0, 0, 1], *port));
        ports.iter().map(of).collect()
    }

    #[test]
    fn connections_to_an_address_that_is_gone_lead_nowhere_and_the_order_does_not_matter() {
        let names = Names::default();
        names.found(Ok(addresses(&[1, 2])));
        let (peers, first) = (addresses(&[1, 2, 3]), names.generation());
        names.found(Ok(addresses(&[2, 1])));
        assert_eq!(names.generation(), first);
        names.found(Ok(addresses(&[2, 3])));
        assert!(!names.leads_to(peers[0], first));
        assert!(names.leads_to(peers[1], first));
        assert!(names.leads_to(peers[2], names.generation()));
    }

    #[test]
    fn a_lookup_that_fails_leaves_what_was_known() {
        let names = Names::default();
        assert_eq!(names.known(), Err(Failure::ConnectTimeout));
        names.found(Err(io::Error::other("no such name")));
        assert_eq!(names.known(), Err(Failure::Unreachable));
        names.found(Ok(addresses(&[1])));
        names.found(Err(io::Error::other("no such name")));
        assert_eq!(names.known().as_deref(), Ok(&addresses(&[1])[..]));
        names.found(Ok(Vec::new()));
        assert_eq!(names.known().as_deref(), Ok(&addresses(&[1])[..]));
    }

    #[tokio::test]
    async fn an_address_is_not_looked_up() {
        let upstream = Upstream {
            host: "10.0.0.1".to_owned(),
            port: 7,
            tls: false,
        };
        let found = Rc::new(Names::default())
            .resolve(&upstream, Duration::ZERO)
            .await;
        assert_eq!(found.as_deref(), Ok(&addresses(&[7])[..]));
    }
}
