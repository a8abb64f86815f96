//! What waits for one receiver.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Notify, watch};

use super::letter::Letter;

/// A queue from which the oldest leaves when it is full. Who puts and who takes are on one thread; the
/// lock is never waited for.
pub(super) struct Outbox {
    letters: Mutex<VecDeque<Arc<Letter>>>,
    bell: Notify,
    is_closed: watch::Sender<bool>,
}

impl Outbox {
    pub(super) fn new() -> Self {
        Self {
            letters: Mutex::default(),
            bell: Notify::new(),
            is_closed: watch::Sender::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<Letter>>> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds one, of which at most `most` wait; how many have left for it.
    pub(super) fn put(&self, letter: Arc<Letter>, most: usize) -> usize {
        let mut letters = self.lock();
        letters.push_back(letter);
        let over = letters.len().saturating_sub(most);
        letters.drain(..over);
        self.bell.notify_one();
        over
    }

    /// The oldest, when there is one; `None`: it is closed and empty.
    pub(super) async fn next(&self) -> Option<Arc<Letter>> {
        loop {
            if let Some(letter) = self.lock().pop_front() {
                return Some(letter);
            }
            tokio::select! {
                biased;
                () = self.closed() => return self.lock().pop_front(),
                () = self.bell.notified() => {}
            }
        }
    }

    /// Drops what waits; how many that were.
    pub(super) fn clear(&self) -> usize {
        self.lock().drain(..).count()
    }

    /// Nothing more will come; what waits is tried once.
    pub(super) fn close(&self) {
        self.is_closed.send_replace(true);
    }

    /// Waits until it is closed.
    pub(super) async fn closed(&self) {
        let mut closing = self.is_closed.subscribe();
        // the sender lives as long as this
        let _ = closing.wait_for(|closed| *closed).await;
    }

    pub(super) fn is_closed(&self) -> bool {
        *self.is_closed.borrow()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::letter::tests::letter;

    #[tokio::test]
    async fn the_oldest_leaves_a_full_queue_and_the_others_keep_their_order() {
        let outbox = Outbox::new();
        let dropped: usize = ["a", "b", "c", "d"]
            .map(|series| outbox.put(letter(series), 2))
            .iter()
            .sum();
        assert_eq!(dropped, 2);
        outbox.close();
        let mut left = Vec::new();
        while let Some(letter) = outbox.next().await {
            left.push(letter.notice.series.clone());
        }
        assert_eq!(left, ["c", "d"]);
        assert_eq!(outbox.clear(), 0);
    }

    #[tokio::test]
    async fn whoever_waits_is_woken_by_a_letter_and_by_the_end() {
        let outbox = Arc::new(Outbox::new());
        let waiting = tokio::spawn({
            let outbox = Arc::clone(&outbox);
            async move { (outbox.next().await, outbox.next().await) }
        });
        tokio::task::yield_now().await;
        outbox.put(letter("a"), 9);
        tokio::task::yield_now().await;
        outbox.close();
        let (first, second) = waiting.await.unwrap();
        assert!(first.is_some() && second.is_none());
    }
}
