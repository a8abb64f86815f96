//! How many requests may be under way at once, and how many may wait for that.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::failure::Failure;

/// Room for requests; one for all data threads.
#[derive(Debug)]
pub(super) struct Room {
    free: Arc<Semaphore>,
    waiting: AtomicUsize,
}

/// One that waits.
struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Room {
    /// For `max` requests.
    pub(super) fn new(max: usize) -> Self {
        Self {
            free: Arc::new(Semaphore::new(max.min(Semaphore::MAX_PERMITS))),
            waiting: AtomicUsize::new(0),
        }
    }

    /// Room for one more, at once or within `patience`, behind fewer than `max_waiting` others.
    pub(super) async fn enter(
        &self,
        max_waiting: usize,
        patience: Duration,
    ) -> Result<OwnedSemaphorePermit, Failure> {
        if let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() {
            return Ok(permit);
        }
        // in a box: most requests never wait, and all would carry it
        Box::pin(self.wait(max_waiting, patience)).await
    }

    async fn wait(
        &self,
        max_waiting: usize,
        patience: Duration,
    ) -> Result<OwnedSemaphorePermit, Failure> {
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _place = Place(&self.waiting);
        if before >= max_waiting {
            return Err(Failure::TooManyRequests);
        }
        match timeout(patience, Arc::clone(&self.free).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(Failure::TooManyRequests),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn one_beyond_the_bound_waits_and_one_beyond_those_is_refused_at_once() {
        let room = Room::new(1);
        let first = room.enter(1, PATIENCE).await.unwrap();
        let second = async {
            let began = tokio::time::Instant::now();
            room.enter(1, PATIENCE).await.map(|_| began.elapsed())
        };
        let third = async {
            tokio::task::yield_now().await;
            let began = tokio::time::Instant::now();
            let refused = room.enter(1, PATIENCE).await.err();
            assert_eq!(began.elapsed(), Duration::ZERO);
            drop(first);
            refused
        };
        let (second, third) = tokio::join!(second, third);
        assert_eq!(second, Ok(Duration::ZERO));
        assert_eq!(third, Some(Failure::TooManyRequests));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_too_long_is_refused_and_leaves_its_place() {
        let room = Room::new(1);
        let _first = room.enter(1, PATIENCE).await.unwrap();
        for _ in 0..3 {
            let refused = room.enter(1, PATIENCE).await.err();
            assert_eq!(refused, Some(Failure::TooManyRequests));
            assert_eq!(room.waiting.load(Ordering::Relaxed), 0);
        }
    }
}
