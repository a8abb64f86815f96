//! The only way from the data threads to the observer: bounded by count and by bytes, never waits.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
    time::Duration,
};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use super::Exchange;
use crate::config;

/// Longest time that an exchange waits for an observer with nothing else to do. To wake a thread
/// costs two system calls; a busy agent saves them by looking every so often.
pub const TICK: Duration = Duration::from_millis(10);

/// Exchanges that are worth waking an observer before its [`TICK`].
const ENOUGH: usize = 64;

/// Exchanges that wait to be used again: about those of one [`TICK`] of a busy agent.
const USED: usize = 512;

/// Why an exchange was dropped instead of queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Shed {
    /// As many exchanges wait as may.
    #[error("the queue holds as many exchanges as it may")]
    Count,
    /// As many bytes wait as may.
    #[error("the queue holds as many bytes as it may")]
    Bytes,
    /// The observer has ended.
    #[error("the observer has ended")]
    Closed,
}

impl Shed {
    /// Every reason there is.
    pub const ALL: [Self; 3] = [Self::Count, Self::Bytes, Self::Closed];

    /// The label value.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Count => "queue_count",
            Self::Bytes => "queue_bytes",
            Self::Closed => "observer_closed",
        }
    }
}

/// Where exchanges are handed in; cheap to clone.
#[derive(Debug, Clone)]
pub struct Offer {
    queue: Sender<Box<Exchange>>,
    depth: Depth,
    bounds: Bounds,
    bell: Sender<()>,
    rest: Arc<AtomicU8>,
    used: Receiver<Box<Exchange>>,
}

/// Where the observer takes them out.
#[derive(Debug)]
pub struct Take {
    queue: Receiver<Box<Exchange>>,
    depth: Depth,
    bounds: Bounds,
    bell: Receiver<()>,
    rest: Arc<AtomicU8>,
    used: Sender<Box<Exchange>>,
    /// The other end of it, to empty it.
    kept: Receiver<Box<Exchange>>,
}

#[derive(Debug, Clone, Copy)]
struct Bounds {
    exchanges: usize,
    bytes: usize,
}

impl Bounds {
    /// Whether so much is worth waking the observer for: half of what may wait, or [`ENOUGH`].
    fn are_enough(self, exchanges: usize, bytes: usize) -> bool {
        exchanges >= self.exchanges.div_ceil(2).min(ENOUGH) || bytes >= self.bytes.div_ceil(2)
    }
}

/// How much waits; readable from anywhere.
#[derive(Debug, Clone, Default)]
pub struct Depth(Arc<Held>);

#[derive(Debug, Default)]
struct Held {
    exchanges: AtomicUsize,
    bytes: AtomicUsize,
}

/// What the observer is doing, and so what wakes it.
mod rest {
    /// Nothing needs to.
    pub(super) const AWAKE: u8 = 0;
    /// Enough that waits, before its tick does.
    pub(super) const TICKING: u8 = 1;
    /// The next exchange.
    pub(super) const ASLEEP: u8 = 2;
}

/// A queue with the bounds of `capture.queue_*`.
pub fn queue(bounds: &config::Capture) -> (Offer, Take) {
    let (sender, receiver) = bounded(bounds.queue_exchanges);
    let (ringer, bell) = bounded(1);
    let (give_back, used) = bounded(USED);
    let depth = Depth::default();
    let rest = Arc::new(AtomicU8::new(rest::AWAKE));
    let bounds = Bounds {
        exchanges: bounds.queue_exchanges,
        bytes: bounds.queue_bytes,
    };
    let offer = Offer {
        queue: sender,
        depth: depth.clone(),
        bounds,
        bell: ringer,
        rest: Arc::clone(&rest),
        used,
    };
    let take = Take {
        queue: receiver,
        depth,
        bounds,
        bell,
        rest,
        used: give_back,
        kept: offer.used.clone(),
    };
    (offer, take)
}

impl Offer {
    /// An exchange to fill: one that was observed, with room in its buffers, or a new one. What one
    /// thread takes from the allocator and another gives back costs both of them.
    pub fn blank(&self) -> Box<Exchange> {
        self.used.try_recv().unwrap_or_default()
    }

    /// Queues `exchange` or drops it; never waits.
    ///
    /// # Errors
    /// The bound that was reached.
    pub fn offer(&self, exchange: Box<Exchange>) -> Result<(), Shed> {
        let size = exchange.held_bytes();
        // counted before it is sent: the observer may take it out at once
        let (exchanges, bytes) = self.depth.add(size);
        let outcome = if bytes > self.bounds.bytes {
            Err(Shed::Bytes)
        } else {
            self.queue.try_send(exchange).map_err(|e| match e {
                TrySendError::Full(_) => Shed::Count,
                TrySendError::Disconnected(_) => Shed::Closed,
            })
        };
        if outcome.is_err() {
            self.depth.remove(size);
        }
        self.wake(self.bounds.are_enough(exchanges, bytes));
        outcome
    }

    /// Ends the observer's rest, if what waits is worth it.
    fn wake(&self, is_enough: bool) {
        let found = self.rest.load(Ordering::SeqCst);
        let is_due = match found {
            rest::AWAKE => false,
            rest::TICKING => is_enough,
            _ => true,
        };
        // one bell for all that come before it is heard
        if is_due && self.rest.swap(rest::AWAKE, Ordering::SeqCst) != rest::AWAKE {
            // it is full only where one waits to be heard, and gone only with the observer
            let _ = self.bell.try_send(());
        }
    }

    /// How much waits.
    pub fn depth(&self) -> &Depth {
        &self.depth
    }
}

impl Take {
    /// The next exchange that waits, if one does.
    pub fn next(&self) -> Option<Box<Exchange>> {
        let exchange = self.queue.try_recv().ok()?;
        self.depth.remove(exchange.held_bytes());
        Some(exchange)
    }

    /// Takes back an exchange that was observed.
    pub fn give_back(&self, mut exchange: Box<Exchange>) {
        exchange.clear();
        // one that has no place goes to the allocator
        let _ = self.used.try_send(exchange);
    }

    /// How much waits.
    pub fn depth(&self) -> &Depth {
        &self.depth
    }

    /// Says that the observer rests, and gives how long it may: with nothing to do in its last turn
    /// (`is_idle`) until the bell, otherwise a [`TICK`] at most.
    pub fn rest(&self, is_idle: bool) -> Duration {
        let state = if is_idle { rest::ASLEEP } else { rest::TICKING };
        self.rest.store(state, Ordering::SeqCst);
        // who offers counts first and looks at the state last: one of both sees the other
        let exchanges = self.depth.0.exchanges.load(Ordering::SeqCst);
        if self.bounds.are_enough(exchanges, self.depth.bytes()) {
            Duration::ZERO
        } else if is_idle && exchanges == 0 {
            // whoever comes after a pause can wait for the allocator
            self.kept.try_iter().for_each(drop);
            Duration::MAX
        } else {
            TICK
        }
    }

    /// What ends a rest before its time; closed when every [`Offer`] is gone.
    pub fn bell(&self) -> &Receiver<()> {
        &self.bell
    }

    /// Says that the observer is up.
    pub fn is_up(&self) {
        self.rest.store(rest::AWAKE, Ordering::SeqCst);
    }
}

impl Depth {
    /// Exchanges that wait.
    pub fn exchanges(&self) -> usize {
        self.0.exchanges.load(Ordering::Relaxed)
    }

    /// Bytes they hold.
    pub fn bytes(&self) -> usize {
        self.0.bytes.load(Ordering::Relaxed)
    }

    /// Adds one exchange, and gives what waits with it.
    fn add(&self, bytes: usize) -> (usize, usize) {
        let exchanges = self.0.exchanges.fetch_add(1, Ordering::SeqCst) + 1;
        let before = self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
        (exchanges, before + bytes)
    }

    fn remove(&self, bytes: usize) {
        self.0.exchanges.fetch_sub(1, Ordering::Relaxed);
        self.0.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::tee::{Captured, End},
        *,
    };

    fn exchange(body: usize) -> Box<Exchange> {
        let mut exchange = Exchange::example("/predict", "", "");
        exchange.response.body = Some(Captured {
            bytes: vec![b'x'; body],
            end: End::Complete,
            passed: body as u64,
            trailers: false,
            outcome: None,
        });
        Box::new(exchange)
    }

    fn bounds(queue_exchanges: usize, queue_bytes: usize) -> config::Capture {
        config::Capture {
            queue_exchanges,
            queue_bytes,
            ..config::defaults().capture
        }
    }

    #[test]
    fn a_full_queue_sheds_by_count_and_forgets_nothing_it_holds() {
        let (offer, take) = queue(&bounds(2, usize::MAX));
        assert_eq!(offer.offer(exchange(10)), Ok(()));
        assert_eq!(offer.offer(exchange(10)), Ok(()));
        assert_eq!(offer.offer(exchange(10)), Err(Shed::Count));
        assert_eq!(offer.depth().exchanges(), 2);
        while take.next().is_some() {}
        assert_eq!((offer.depth().exchanges(), offer.depth().bytes()), (0, 0));
    }

    #[test]
    fn large_bodies_shed_by_bytes_long_before_the_count() {
        let (offer, _take) = queue(&bounds(1000, 100_000));
        assert_eq!(offer.offer(exchange(60_000)), Ok(()));
        assert_eq!(offer.offer(exchange(60_000)), Err(Shed::Bytes));
        assert_eq!(offer.offer(exchange(1_000)), Ok(()));
        assert!(offer.depth().bytes() <= 100_000);
    }

    #[test]
    fn a_busy_observer_is_woken_by_a_half_full_queue_alone() {
        let (offer, take) = queue(&bounds(8, usize::MAX));
        assert_eq!(take.rest(false), TICK);
        for _ in 0..3 {
            offer.offer(exchange(1)).unwrap();
            assert!(take.bell().is_empty());
        }
        offer.offer(exchange(1)).unwrap();
        offer.offer(exchange(1)).unwrap();
        assert_eq!(take.bell().len(), 1, "one bell for both");
    }

    #[test]
    fn an_idle_observer_is_woken_by_the_first_exchange_and_not_by_the_next() {
        let (offer, take) = queue(&bounds(8, usize::MAX));
        assert_eq!(take.rest(true), Duration::MAX);
        offer.offer(exchange(1)).unwrap();
        assert_eq!(take.bell().try_recv(), Ok(()));
        offer.offer(exchange(1)).unwrap();
        assert!(take.bell().is_empty());
    }

    #[test]
    fn one_large_exchange_wakes_a_busy_observer() {
        let (offer, take) = queue(&bounds(1000, 100_000));
        assert_eq!(take.rest(false), TICK);
        offer.offer(exchange(60_000)).unwrap();
        assert_eq!(take.bell().len(), 1);
    }

    #[test]
    fn what_was_observed_is_used_again_until_there_is_nothing_to_do() {
        let (offer, take) = queue(&bounds(8, usize::MAX));
        let used = exchange(10);
        let place = std::ptr::from_ref(&*used);
        take.give_back(used);
        let again = offer.blank();
        assert_eq!(std::ptr::from_ref(&*again), place);
        assert!(again.response.body.is_none());
        take.give_back(again);
        assert_eq!(take.kept.len(), 1);
        take.rest(true);
        assert_eq!(take.kept.len(), 0);
    }

    #[test]
    fn what_came_while_it_lay_down_is_not_slept_over() {
        let (offer, take) = queue(&bounds(8, usize::MAX));
        offer.offer(exchange(1)).unwrap();
        assert_eq!(take.rest(true), TICK);
    }

    #[test]
    fn without_an_observer_everything_is_shed() {
        let (offer, take) = queue(&bounds(2, usize::MAX));
        drop(take);
        assert_eq!(offer.offer(exchange(1)), Err(Shed::Closed));
        assert_eq!(offer.depth().exchanges(), 0);
    }
}
