//! What waits for one courier, bounded by count and by bytes.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, watch},
    time::sleep,
};

/// Most records of one request.
const BATCH: usize = 2048;
/// Most bytes of them, as they wait.
const BATCH_BYTES: usize = 1 << 20;
/// How long a record waits for others.
const GATHERING: Duration = Duration::from_secs(1);

/// A queue that takes no more when it is full. The lock is held for as long as it takes to add or to take
/// records, and whoever adds is not on the path of a request.
pub(super) struct Queue<T> {
    waiting: Mutex<Waiting<T>>,
    /// Rings when there is a record, and when there are enough for a request.
    some: Notify,
    many: Notify,
    dropped: AtomicU64,
}

struct Waiting<T> {
    records: VecDeque<(T, usize)>,
    bytes: usize,
    most: usize,
    most_bytes: usize,
}

impl<T> Waiting<T> {
    /// Half of what may wait is enough: the other half comes while this one is sent.
    fn is_batch(&self) -> bool {
        self.records.len() >= BATCH.min(self.most.div_ceil(2))
            || self.bytes >= BATCH_BYTES.min(self.most_bytes / 2)
    }
}

impl<T> Queue<T> {
    /// With room for `most` records of `most_bytes` together.
    pub(super) fn new(most: usize, most_bytes: usize) -> Self {
        Self {
            waiting: Mutex::new(Waiting {
                records: VecDeque::new(),
                bytes: 0,
                most,
                most_bytes,
            }),
            some: Notify::new(),
            many: Notify::new(),
            dropped: AtomicU64::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Other bounds; what waits already stays.
    pub(super) fn limit(&self, most: usize, most_bytes: usize) {
        let mut waiting = self.lock();
        (waiting.most, waiting.most_bytes) = (most, most_bytes);
    }

    /// Adds a record of so many bytes; `false`: there is no room.
    pub(super) fn put(&self, record: T, bytes: usize) -> bool {
        let mut waiting = self.lock();
        let is_full = waiting.records.len() >= waiting.most
            || waiting.bytes.saturating_add(bytes) > waiting.most_bytes;
        if is_full {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        let before = (waiting.records.is_empty(), waiting.is_batch());
        waiting.records.push_back((record, bytes));
        waiting.bytes += bytes;
        let after = waiting.is_batch();
        drop(waiting);
        // a bell for each record would wake the courier for each
        if before.0 {
            self.some.notify_one();
        }
        if after && !before.1 {
            self.many.notify_one();
        }
        true
    }

    /// Records for one request, which have waited for others a second at most; `None`: the agent leaves and
    /// nothing is there.
    pub(super) async fn batch(&self, leaving: &mut watch::Receiver<bool>) -> Option<Vec<T>> {
        while self.lock().records.is_empty() {
            tokio::select! {
                biased;
                () = self.some.notified() => {}
                _ = leaving.wait_for(|leaving| *leaving) => {
                    let last = self.take();
                    return (!last.is_empty()).then_some(last);
                }
            }
        }
        let gather = async {
            while !self.lock().is_batch() {
                self.many.notified().await;
            }
        };
        tokio::select! {
            () = gather => {}
            () = sleep(GATHERING) => {}
            _ = leaving.wait_for(|leaving| *leaving) => {}
        }
        Some(self.take())
    }

    fn take(&self) -> Vec<T> {
        let mut waiting = self.lock();
        let mut batch = Vec::with_capacity(waiting.records.len().min(BATCH));
        let mut bytes = 0;
        while batch.len() < BATCH
            && bytes < BATCH_BYTES
            && let Some((record, size)) = waiting.records.pop_front()
        {
            bytes += size;
            batch.push(record);
        }
        waiting.bytes -= bytes;
        batch
    }

    /// Drops what waits; how many that were.
    pub(super) fn clear(&self) -> u64 {
        let mut waiting = self.lock();
        waiting.bytes = 0;
        waiting.records.drain(..).count() as u64
    }

    /// Records and bytes that wait.
    pub(super) fn depth(&self) -> (usize, usize) {
        let waiting = self.lock();
        (waiting.records.len(), waiting.bytes)
    }

    /// How many there was no room for so far.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::time::Instant;

    use super::*;

    #[test]
    fn a_full_queue_takes_no_more_by_count_or_by_bytes() {
        let queue = Queue::new(2, 100);
        assert!(queue.put("a", 10) && queue.put("b", 10) && !queue.put("c", 10));
        assert_eq!(queue.depth(), (2, 20));
        queue.limit(9, 100);
        assert!(!queue.put("d", 81) && queue.put("e", 80));
        assert_eq!(queue.dropped(), 2);
        assert_eq!(queue.take(), ["a", "b", "e"]);
        assert_eq!(queue.depth(), (0, 0));
        assert!(queue.put("f", 100));
        assert_eq!((queue.clear(), queue.depth()), (1, (0, 0)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_record_waits_a_second_for_others_and_a_whole_request_does_not() {
        let (_leave, mut leaving) = watch::channel(false);
        let queue = Queue::new(10_000, 1 << 30);
        let begun = Instant::now();
        assert!(queue.put(0, 1));
        assert_eq!(queue.batch(&mut leaving).await, Some(vec![0]));
        assert_eq!(begun.elapsed(), GATHERING);
        for number in 0..=BATCH {
            assert!(queue.put(number, 1));
        }
        let begun = Instant::now();
        assert_eq!(queue.batch(&mut leaving).await.unwrap().len(), BATCH);
        assert!(begun.elapsed().is_zero());
        assert_eq!(queue.batch(&mut leaving).await, Some(vec![BATCH]));
        assert!(queue.put(1, BATCH_BYTES) && queue.put(2, 1));
        assert_eq!(queue.batch(&mut leaving).await, Some(vec![1]));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_is_woken_by_a_record_and_by_the_end_which_leaves_nothing() {
        let (leave, mut leaving) = watch::channel(false);
        let queue = Arc::new(Queue::new(10_000, 1 << 30));
        let other = Arc::clone(&queue);
        let waiting = tokio::spawn(async move {
            let mut all = Vec::new();
            while let Some(batch) = other.batch(&mut leaving).await {
                all.push(batch.len());
            }
            all
        });
        tokio::task::yield_now().await;
        assert!(queue.put(0, 1));
        sleep(2 * GATHERING).await;
        for number in 0..3000 {
            assert!(queue.put(number, 1));
        }
        leave.send_replace(true);
        assert_eq!(waiting.await.unwrap(), [1, BATCH, 3000 - BATCH]);
    }
}
