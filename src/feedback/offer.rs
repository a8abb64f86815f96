//! How predictions come in: offered by the observer, which never waits.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::{
    posted::Posted,
    record::{self, Draft, NoRecord},
};

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
    /// Feedback that passed through the proxy, by what became of it.
    pub passed: [AtomicU64; Passed::ALL.len()],
}

/// What became of feedback that passed through the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passed {
    /// Its labels are looked for.
    Taken,
    /// It has no truth: a reward alone is no label.
    NoTruth,
    /// It does not say of which prediction it is.
    NoPuid,
    /// The model server did not take it.
    Refused,
    /// It was too long, not whole, or no JSON.
    Unread,
    /// Too much waited.
    QueueFull,
}

impl Passed {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 6] = [
        Self::Taken,
        Self::NoTruth,
        Self::NoPuid,
        Self::Refused,
        Self::Unread,
        Self::QueueFull,
    ];

    /// The label value.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::NoTruth => "no_truth",
            Self::NoPuid => "no_puid",
            Self::Refused => "refused",
            Self::Unread => "unread",
            Self::QueueFull => "queue_full",
        }
    }
}

pub(super) fn add(counter: &AtomicU64, more: usize) {
    counter.fetch_add(more as u64, Ordering::Relaxed);
}

/// A record with its request id.
pub(super) type Waiting = (String, Vec<u8>);

/// What is offered, in the order in which it came.
#[derive(Debug)]
pub(super) enum Offered {
    /// A prediction, and another id by which labels may name it.
    Prediction(Waiting, Option<String>),
    /// Labels that passed.
    Labels(Labels),
}

/// Labels that wait. Their room is given back with them.
#[derive(Debug)]
pub(super) struct Labels {
    pub(super) posted: Posted,
    size: usize,
    depth: Arc<AtomicUsize>,
}

impl Drop for Labels {
    fn drop(&mut self) {
        self.depth.fetch_sub(self.size, Ordering::Relaxed);
    }
}

/// Where predictions are offered; the default takes none.
#[derive(Debug, Clone, Default)]
pub struct Offer(Option<Open>);

#[derive(Debug, Clone)]
struct Open {
    sender: Sender<Offered>,
    depth: Arc<AtomicUsize>,
    counts: Arc<Counts>,
}

/// Their other end.
#[derive(Debug)]
pub(super) struct Take {
    pub(super) receiver: Receiver<Offered>,
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

    /// Offers what was answered to the request of that id; `alias`: labels may have this one instead. What
    /// has no room is dropped and counted.
    pub fn offer(&self, request_id: &str, alias: Option<&str>, draft: Draft) {
        let Some(open) = &self.0 else {
            return;
        };
        let record = match draft.finish() {
            Ok(record) => record,
            Err(NoRecord::Empty) => return,
            Err(NoRecord::TooLarge) => return add(&open.counts.too_large, 1),
        };
        let alias = alias.filter(|alias| *alias != request_id);
        let size = size(request_id, &record, alias);
        let before = open.depth.fetch_add(size, Ordering::Relaxed);
        let offered = || {
            let waiting = (request_id.to_owned(), record);
            Offered::Prediction(waiting, alias.map(str::to_owned))
        };
        let fits = before + size <= MAX_WAITING_BYTES && open.sender.try_send(offered()).is_ok();
        if !fits {
            open.depth.fetch_sub(size, Ordering::Relaxed);
            add(&open.counts.queue_full, 1);
        }
    }

    /// Counts feedback that passed and has no labels to look for.
    pub fn passed(&self, outcome: Passed) {
        if let Some(open) = &self.0 {
            add(&open.counts.passed[outcome as usize], 1);
        }
    }

    /// Offers labels that passed. Those that have no room are dropped and counted.
    pub fn labels(&self, posted: Posted) {
        let Some(open) = &self.0 else {
            return;
        };
        let texts = posted.labels.iter();
        let texts = texts.map(|label| label.request_id.len() + Posted::LABEL);
        let size = size_of::<Posted>() + texts.sum::<usize>();
        let before = open.depth.fetch_add(size, Ordering::Relaxed);
        let labels = Labels {
            posted,
            size,
            depth: Arc::clone(&open.depth),
        };
        let fits = before + size <= MAX_WAITING_BYTES
            && open.sender.try_send(Offered::Labels(labels)).is_ok();
        self.passed(if fits {
            Passed::Taken
        } else {
            Passed::QueueFull
        });
    }
}

/// Bytes of a prediction that waits.
fn size(id: &str, record: &[u8], alias: Option<&str>) -> usize {
    let of_alias = |alias: &str| alias.len() + record::ALIAS + id.len();
    record.len() + id.len() + alias.map_or(0, of_alias)
}

impl Take {
    /// Notes that a prediction was taken.
    pub(super) fn took(&self, (id, record): &Waiting, alias: Option<&str>) {
        let size = size(id, record, alias);
        self.depth.fetch_sub(size, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feedback::posted::{Label, Truth};

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
        (0..30).for_each(|id: usize| offer.offer(&id.to_string(), None, draft(20_000)));
        let waiting = take.receiver.len();
        assert!((20..30).contains(&waiting), "{waiting}");
        let dropped = counts.queue_full.load(Ordering::Relaxed);
        assert_eq!(waiting as u64 + dropped, 30);
        for taken in take.receiver.try_iter() {
            let Offered::Prediction(taken, alias) = taken else {
                panic!("predictions were offered");
            };
            take.took(&taken, alias.as_deref());
        }
        assert_eq!(take.depth.load(Ordering::Relaxed), 0);
        offer.offer("large", None, draft(100_000));
        assert_eq!(counts.too_large.load(Ordering::Relaxed), 1);
        (0..=MAX_WAITING).for_each(|_| offer.offer("a", Some("b"), draft(1)));
        assert_eq!(counts.queue_full.load(Ordering::Relaxed), dropped + 1);
    }

    #[test]
    fn labels_give_their_room_back_and_are_dropped_where_there_is_none() {
        let counts = Arc::new(Counts::default());
        let (offer, take) = queue(&counts);
        let posted = |labels: usize| Posted {
            labels: vec![
                Label {
                    request_id: "a".to_owned(),
                    item: 0,
                    truth: Truth::Bool(true),
                };
                labels
            ],
            ..Posted::default()
        };
        offer.labels(posted(2));
        offer.labels(posted(200_000));
        let passed = |outcome: Passed| counts.passed[outcome as usize].load(Ordering::Relaxed);
        assert_eq!((passed(Passed::Taken), passed(Passed::QueueFull)), (1, 1));
        let Ok(Offered::Labels(labels)) = take.receiver.try_recv() else {
            panic!("labels were offered");
        };
        assert_eq!(labels.posted.labels.len(), 2);
        assert!(take.depth.load(Ordering::Relaxed) > 0);
        drop(labels);
        assert_eq!(take.depth.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn nothing_is_taken_where_nothing_is_kept() {
        let offer = Offer::default();
        offer.offer("a", None, draft(1));
        assert!(!offer.is_open());
    }
}
