//! How predictions come in: offered by the observer, which never waits.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::record::{Draft, NoRecord};

/// Requests that may wait to be kept.
const MAX_WAITING: usize = 16 << 10;
/// Bytes that may.
const MAX_WAITING_BYTES: usize = 8 << 20;

/// What was not kept, and what is there: read at a scrape.
#[derive(Debug, Default)]
pub struct Counts {
    /// Predictions (requests) that are kept.
    pub kept: AtomicU64,
    /// Those that were not, because too many waited.
    pub queue_full: AtomicU64,
    /// Because one record would have been too large.
    pub too_large: AtomicU64,
    /// Because the disk refused.
    pub not_saved: AtomicU64,
    /// Those that took the place of an earlier one of the same id.
    pub replaced: AtomicU64,
    /// Bytes of all files.
    pub bytes: AtomicU64,
    /// Files that were damaged and moved aside.
    pub damaged: AtomicU64,
}

pub(super) fn add(counter: &AtomicU64, more: usize) {
    counter.fetch_add(more as u64, Ordering::Relaxed);
}

/// A record with its request id.
pub(super) type Waiting = (String, Vec<u8>);

/// Where predictions are offered; the default takes none.
#[derive(Debug, Clone, Default)]
pub struct Offer(Option<Open>);

#[derive(Debug, Clone)]
struct Open {
    sender: Sender<Waiting>,
    depth: Arc<AtomicUsize>,
    counts: Arc<Counts>,
}

/// Their other end.
#[derive(Debug)]
pub(super) struct Take {
    pub(super) receiver: Receiver<Waiting>,
    depth: Arc<AtomicUsize>,
}

/// Both ends.
pub(super) fn queue(counts: &Arc<Counts>) -> (Offer, Take) {
    let (sender, receiver) = bounded(MAX_WAITING);
    let depth = Arc::new(AtomicUsize::new(0));
    let open = Open {
        sender,
        depth: Arc::clone(&depth),
        counts: Arc::clone(counts),
    };
    (Offer(Some(open)), Take { receiver, depth })
}

impl Offer {
    /// Whether predictions are kept at all.
    pub fn is_open(&self) -> bool {
        self.0.is_some()
    }

    /// Offers what was answered to the request of that id. What has no room is dropped and counted.
    pub fn offer(&self, request_id: &str, draft: Draft) {
        let Some(open) = &self.0 else {
            return;
        };
        let record = match draft.finish() {
            Ok(record) => record,
            Err(NoRecord::Empty) => return,
            Err(NoRecord::TooLarge) => return add(&open.counts.too_large, 1),
        };
        let size = record.len() + request_id.len();
        let before = open.depth.fetch_add(size, Ordering::Relaxed);
        let fits = before + size <= MAX_WAITING_BYTES
            && open
                .sender
                .try_send((request_id.to_owned(), record))
                .is_ok();
        if !fits {
            open.depth.fetch_sub(size, Ordering::Relaxed);
            add(&open.counts.queue_full, 1);
        }
    }
}

impl Take {
    /// Notes that one was taken.
    pub(super) fn took(&self, (id, record): &Waiting) {
        let size = record.len() + id.len();
        self.depth.fetch_sub(size, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(items: usize) -> Draft {
        let mut draft = Draft::new("m", "1", 0.0, 0);
        (0..items).for_each(|_| draft.value(1.0));
        draft
    }

    #[test]
    fn what_has_no_room_is_counted_and_never_waited_for() {
        let counts = Arc::new(Counts::default());
        let (offer, take) = queue(&counts);
        // of 340 kB each
        (0..30).for_each(|id: usize| offer.offer(&id.to_string(), draft(20_000)));
        let waiting = take.receiver.len();
        assert!((20..30).contains(&waiting), "{waiting}");
        let dropped = counts.queue_full.load(Ordering::Relaxed);
        assert_eq!(waiting as u64 + dropped, 30);
        for taken in take.receiver.try_iter() {
            take.took(&taken);
        }
        assert_eq!(take.depth.load(Ordering::Relaxed), 0);
        offer.offer("large", draft(100_000));
        assert_eq!(counts.too_large.load(Ordering::Relaxed), 1);
        (0..=MAX_WAITING).for_each(|_| offer.offer("a", draft(1)));
        assert_eq!(counts.queue_full.load(Ordering::Relaxed), dropped + 1);
    }

    #[test]
    fn nothing_is_taken_where_nothing_is_kept() {
        let offer = Offer::default();
        offer.offer("a", draft(1));
        assert!(!offer.is_open());
    }
}
