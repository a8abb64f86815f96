//! The only way from the data threads to the observer: bounded by count and by bytes, never waits.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use super::Exchange;
use crate::config;

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
    max_bytes: usize,
}

/// Where the observer takes them out.
#[derive(Debug)]
pub struct Take {
    queue: Receiver<Box<Exchange>>,
    depth: Depth,
}

/// How much waits; readable from anywhere.
#[derive(Debug, Clone, Default)]
pub struct Depth(Arc<Held>);

#[derive(Debug, Default)]
struct Held {
    exchanges: AtomicUsize,
    bytes: AtomicUsize,
}

/// A queue with the bounds of `capture.queue_*`.
pub fn queue(bounds: &config::Capture) -> (Offer, Take) {
    let (sender, receiver) = bounded(bounds.queue_exchanges);
    let depth = Depth::default();
    let offer = Offer {
        queue: sender,
        depth: depth.clone(),
        max_bytes: bounds.queue_bytes,
    };
    (
        offer,
        Take {
            queue: receiver,
            depth,
        },
    )
}

impl Offer {
    /// Queues `exchange` or drops it; never waits.
    ///
    /// # Errors
    /// The bound that was reached.
    pub fn offer(&self, exchange: Box<Exchange>) -> Result<(), Shed> {
        let size = exchange.held_bytes();
        // counted before it is sent: the observer may take it out at once
        let held = self.depth.add(size);
        let outcome = if held + size > self.max_bytes {
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
        outcome
    }

    /// How much waits.
    pub fn depth(&self) -> &Depth {
        &self.depth
    }
}

impl Take {
    /// The channel, to wait on together with others; give what came out to [`Take::taken`].
    pub fn receiver(&self) -> &Receiver<Box<Exchange>> {
        &self.queue
    }

    /// Notes that `exchange` waits no longer.
    pub fn taken(&self, exchange: &Exchange) {
        self.depth.remove(exchange.held_bytes());
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

    fn add(&self, bytes: usize) -> usize {
        self.0.exchanges.fetch_add(1, Ordering::Relaxed);
        self.0.bytes.fetch_add(bytes, Ordering::Relaxed)
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
        while let Ok(e) = take.receiver().try_recv() {
            take.taken(&e);
        }
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
    fn without_an_observer_everything_is_shed() {
        let (offer, take) = queue(&bounds(2, usize::MAX));
        drop(take);
        assert_eq!(offer.offer(exchange(1)), Err(Shed::Closed));
        assert_eq!(offer.depth().exchanges(), 0);
    }
}
