//! Where the upstream is: the addresses of its name.
//!
//! They are looked up when a connection is needed and they are older than [`FRESH`], and while there
//! is traffic every [`REFRESH`], so that connections to an address that the name no longer has are
//! not used for ever.

use std::{
    cell::{Cell, RefCell},
    io,
    net::IpAddr,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time::timeout;

use crate::{http, proxy::failure::Failure};

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
    /// When they were asked for last.
    asked: Cell<Option<Instant>>,
}

#[derive(Default)]
struct Known {
    addresses: Arc<[IpAddr]>,
    /// Why the last lookup found nothing.
    failure: Option<Failure>,
}

impl Names {
    /// The addresses of `host`, in the order in which they are tried.
    ///
    /// Where a lookup fails or takes longer than `patience`, the ones known before: a resolver that
    /// is down is no upstream that is down.
    pub(super) async fn resolve(
        &self,
        host: &str,
        patience: Duration,
    ) -> Result<Arc<[IpAddr]>, Failure> {
        let is_known = !self.known.borrow().addresses.is_empty();
        if !is_known || self.is_older_than(FRESH) {
            if let Ok(found) = timeout(patience, http::resolve(host)).await {
                self.found(found);
            }
            // a resolver that is silent is not waited for again at once
            self.asked.set(Some(Instant::now()));
        }
        self.known()
    }

    /// Looks whether the addresses have changed, if that was not done for a while.
    pub(in crate::proxy) fn refresh(self: &Rc<Self>, host: &str) {
        let is_name = self.asked.get().is_some() && host.parse::<IpAddr>().is_err();
        if !is_name || !self.is_older_than(REFRESH) {
            return;
        }
        self.asked.set(Some(Instant::now()));
        let (names, host) = (Rc::clone(self), host.to_owned());
        tokio::task::spawn_local(async move { names.found(http::resolve(&host).await) });
    }

    /// Rises when the addresses change.
    pub(super) fn generation(&self) -> u32 {
        self.generation.get()
    }

    /// Whether a connection to `peer`, made in `generation`, still leads to the upstream.
    pub(super) fn leads_to(&self, peer: IpAddr, generation: u32) -> bool {
        generation == self.generation.get() || self.known.borrow().addresses.contains(&peer)
    }

    fn is_older_than(&self, age: Duration) -> bool {
        self.asked.get().is_none_or(|at| at.elapsed() >= age)
    }

    fn known(&self) -> Result<Arc<[IpAddr]>, Failure> {
        let known = self.known.borrow();
        if known.addresses.is_empty() {
            return Err(known.failure.unwrap_or(Failure::ConnectTimeout));
        }
        Ok(Arc::clone(&known.addresses))
    }

    fn found(&self, found: io::Result<Arc<[IpAddr]>>) {
        let mut known = self.known.borrow_mut();
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
                known.addresses = found;
                known.failure = None;
            }
            Err(error) => known.failure = Some(Failure::from(&error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(last: &[u8]) -> Arc<[IpAddr]> {
        let of = |last: &u8| IpAddr::from([10, 0, 0, *last]);
        last.iter().map(of).collect()
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
        assert_eq!(names.known(), Ok(addresses(&[1])));
        names.found(Ok(addresses(&[])));
        assert_eq!(names.known(), Ok(addresses(&[1])));
    }
}
